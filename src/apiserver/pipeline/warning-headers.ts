/** Characters of all warnings together; from there on each is cut to `ITEM_CHARACTERS_MAX`. Upstream's limits. */
const TOTAL_CHARACTERS_MAX = 4 * 1024;
const ITEM_CHARACTERS_MAX = 256;

/**
 * The value of the `Warning` header (RFC 7234, 5.5) for these texts. As upstream does it: where all of them are too
 * long, each is cut, and where that is still too long, the rest is left out. One with control characters is left out.
 */
export function warningHeader(texts: readonly string[]): string {
  const whole = texts.map((text) => Array.from(text));
  const length = whole.reduce((sum, characters) => sum + characters.length, 0);
  const shown = length <= TOTAL_CHARACTERS_MAX ? texts : cut(whole);
  return shown
    .filter((text) => !CONTROL.test(text))
    .map((text) => `299 - "${text.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`)
    .join(', ');
}

const CONTROL = /\p{Cc}/u;

function cut(texts: readonly (readonly string[])[]): string[] {
  const shown: string[] = [];
  let length = 0;
  let uncut = 0;
  let isOver = false;
  for (const characters of texts) {
    uncut += characters.length;
    // Those before the limit was passed are all kept, however many they are.
    if (isOver && length >= TOTAL_CHARACTERS_MAX) break;
    isOver ||= uncut > TOTAL_CHARACTERS_MAX;
    const part = characters.slice(0, ITEM_CHARACTERS_MAX);
    length += part.length;
    shown.push(part.join(''));
  }
  return shown;
}
