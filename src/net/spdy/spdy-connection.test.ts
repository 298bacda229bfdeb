import { type Duplex, duplexPair } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';

import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';

import { controlFrame, dataFrame, type Frame, FrameParser, FRAME, words } from './frames.ts';
import { HeaderEncoder } from './header-block.ts';
import { SpdyConnection } from './spdy-connection.ts';
import type { SpdyStream } from './spdy-stream.ts';

const opened: Duplex[] = [];

afterEach(() => {
  for (const transport of opened.splice(0)) transport.destroy();
});

function connect(onStream: (stream: SpdyStream) => void): { client: SpdyConnection; server: SpdyConnection } {
  const [left, right] = duplexPair();
  opened.push(left, right);
  return {
    client: new SpdyConnection(left, { role: 'client' }),
    server: new SpdyConnection(right, { role: 'server', onStream }),
  };
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function joinFrames(frames: Iterable<Frame>): string[] {
  const texts: string[] = [];
  for (const frame of frames) {
    if (frame.type === 'control') texts.push(`c${frame.kind}:${frame.flags}:${frame.payload.toString('hex')}`);
    else texts.push(`d${frame.streamId}:${frame.bytes.toString('hex')}:${frame.isLast}`);
  }
  return texts;
}

/** The pieces of a data frame put together again. */
function mergeData(texts: readonly string[]): string[] {
  const merged: string[] = [];
  for (const text of texts) {
    const last = merged.at(-1);
    const [id = '', bytes = '', isLast = ''] = text.split(':');
    if (text.startsWith('d') && last !== undefined && last.startsWith(`${id}:`) && last.endsWith(':false')) {
      merged[merged.length - 1] = `${last.slice(0, -':false'.length)}${bytes}:${isLast}`;
    } else merged.push(text);
  }
  return merged;
}

describe('FrameParser', () => {
  test('finds the same frames however the bytes are cut', () => {
    const frame = fc.oneof(
      fc.tuple(fc.constantFrom(1, 2, 3, 6, 9), fc.uint8Array({ maxLength: 40 })).map(([kind, payload]) => ({
        bytes: controlFrame(kind, 0, Buffer.from(payload)),
      })),
      fc.tuple(fc.integer({ min: 1, max: 9 }), fc.uint8Array({ maxLength: 60 })).map(([id, payload]) => ({
        bytes: dataFrame(id, payload, 1),
      })),
    );
    const property = fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(400)), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map((each) => each.bytes));
      const whole = joinFrames(new FrameParser().push(bytes));
      const parser = new FrameParser();
      const positions = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      let start = 0;
      const pieces: string[] = [];
      for (const end of positions) {
        pieces.push(...joinFrames(parser.push(bytes.subarray(start, end))));
        start = end;
      }
      expect(mergeData(pieces)).toEqual(mergeData(whole));
      expect(whole).toHaveLength(frames.length);
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('SpdyConnection', () => {
  test('carries headers, data and ends both ways', async () => {
    const { client } = connect((stream) => {
      stream.accept();
      stream.write(`type ${stream.headers['streamtype']}: `);
      stream.pipe(stream);
    });
    const stream = client.openStream({ streamtype: 'data', port: '80' });
    stream.end('hello');
    expect(await stream.replied).toBe(true);
    expect((await readAll(stream)).toString()).toBe('type data: hello');
  });

  test('carries 20 MB on one stream while another is served', async () => {
    const { client } = connect((stream) => {
      stream.accept();
      stream.pipe(stream);
    });
    const big = client.openStream({ name: 'big' });
    const small = client.openStream({ name: 'small' });
    const chunk = Buffer.alloc(100_000, 'x');
    const source = function* (): Generator<Buffer> {
      for (let index = 0; index < 200; index += 1) yield chunk;
    };
    let received = 0;
    big.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    const isBigDone = finished(big);
    small.end('still here');
    await pipeline(source, big, { end: true }).catch(() => undefined);
    expect((await readAll(small)).toString()).toBe('still here');
    await isBigDone;
    expect(received).toBe(20_000_000);
  });

  test('stops reading when a stream is not read, and goes on when it is', async () => {
    let served: SpdyStream | undefined;
    const { client } = connect((stream) => {
      stream.accept();
      served = stream;
    });
    const stream = client.openStream({});
    const chunk = Buffer.alloc(64 * 1024);
    let written = 0;
    // Nobody reads at the other end: writing must come to a halt long before 64 MB.
    while (written < 1000 && stream.write(chunk)) {
      written += 1;
      await setImmediate();
    }
    expect(written).toBeLessThan(100);
    expect(served!.readableLength).toBeLessThan(1024 * 1024);
    let received = 0;
    served!.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    stream.end();
    await finished(served!, { writable: false });
    expect(received).toBe((written + 1) * chunk.length);
  });

  test('reads a reset as an end after what was sent', async () => {
    const { client } = connect((stream) => {
      stream.accept();
      stream.write('last words', () => stream.destroy());
    });
    const stream = client.openStream({});
    expect((await readAll(stream)).toString()).toBe('last words');
  });

  test('tells of a refused stream', async () => {
    const { client } = connect((stream) => stream.refuse());
    expect(await client.openStream({}).replied).toBe(false);
  });

  test('closes streams without an end when the connection is lost', async () => {
    const { client, server } = connect((stream) => stream.accept());
    const stream = client.openStream({});
    await stream.replied;
    server.destroy();
    client.destroy();
    await expect(finished(stream)).rejects.toThrow('Premature close');
    expect(client.streamCount).toBe(0);
  });

  test('answers pings of the peer only', async () => {
    const [left, right] = duplexPair();
    opened.push(left, right);
    const server = new SpdyConnection(right, { role: 'server' });
    left.write(Buffer.concat([controlFrame(FRAME.ping, 0, words(7)), controlFrame(FRAME.ping, 0, words(8))]));
    left.write(controlFrame(FRAME.ping, 0, words(9)));
    const answers: Buffer[] = [];
    left.once('end', () => left.end());
    left.on('data', (bytes: Buffer) => {
      answers.push(bytes);
      if (Buffer.concat(answers).length >= 24) server.close();
    });
    await server.closed;
    const frames = [...new FrameParser().push(Buffer.concat(answers))];
    expect(frames.slice(0, 2)).toEqual(
      [7, 9].map((id) => ({ type: 'control', kind: 6, flags: 0, payload: words(id) })),
    );
  });

  test('survives hostile bytes: no throw, bounded memory, connection closed or idle', async () => {
    const encoder = new HeaderEncoder();
    const syn = controlFrame(
      FRAME.synStream,
      0,
      Buffer.concat([words(1, 0), Buffer.alloc(2), encoder.encode({ a: 'b' })]),
    );
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.nat(12), fc.nat(255), fc.uint8Array({ maxLength: 60 }))
        .map(([kind, flags, payload]) => controlFrame(kind, flags, Buffer.from(payload))),
      fc.tuple(fc.nat(5), fc.uint8Array({ maxLength: 60 })).map(([id, payload]) => dataFrame(id, payload, 0)),
      fc.constant(syn),
    );
    const property = fc.asyncProperty(fc.array(hostile, { maxLength: 12 }), async (pieces) => {
      const [left, right] = duplexPair();
      opened.push(left, right);
      const server = new SpdyConnection(right, { role: 'server', onStream: (stream) => stream.resume() });
      left.resume();
      for (const piece of pieces) if (!left.destroyed) left.write(piece);
      left.end();
      await server.closed;
      expect(server.streamCount).toBe(0);
    });
    await fc.assert(property, { numRuns: 200 });
  });
});
