import { ProtobufError } from './errors.ts';
import { BYTES, FIXED64, VARINT } from './reader.ts';
import { type SpecialForm, specialForm } from './special.ts';

/** Field name → [number, type, flags, JSON name]; flags: `r` repeated, `m` map, `i` inline, `p` pointer, `a` always. */
export type ProtobufField = readonly [number: number, type: string, flags: string, jsonName?: string];

/** Messages by full name, such as `k8s.io.api.core.v1.Pod`. */
export type ProtobufTable = Readonly<Record<string, Readonly<Record<string, ProtobufField>>>>;

export type ScalarType = 'string' | 'bytes' | 'bool' | 'int32' | 'int64' | 'double';

/** One field of a message, ready to be read and written. */
export interface FieldPlan {
  readonly number: number;
  /** Its name in JSON. */
  readonly key: string;
  /** Its name in Go, as the texts of failures have it. */
  readonly goName: string;
  readonly type: ScalarType | 'message';
  /** The message's plan; only of messages. Compiled at its first use: messages may contain themselves. */
  readonly message: () => MessagePlan;
  readonly shape: 'single' | 'repeated' | 'map' | 'inline';
  /** Absent and zero are two things. */
  readonly isPointer: boolean;
  /** JSON has the field even where it is empty. */
  readonly isAlways: boolean;
  readonly wireType: number;
  /** Of the value of a map's entry; of other fields the same as above. */
  readonly valueWireType: number;
}

export interface MessagePlan {
  /** Without its package. */
  readonly name: string;
  /** In order of their numbers. */
  readonly fields: readonly FieldPlan[];
  readonly byNumber: ReadonlyMap<number, FieldPlan>;
  /** Where JSON has something else than an object of the fields. */
  readonly special: SpecialForm | undefined;
}

const SCALARS: ReadonlySet<string> = new Set<ScalarType>(['string', 'bytes', 'bool', 'int32', 'int64', 'double']);

/** The plans of a table's messages, each compiled at its first use. */
export class PlanSet {
  readonly #table: ProtobufTable;
  readonly #plans = new Map<string, MessagePlan>();

  constructor(table: ProtobufTable) {
    this.#table = table;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#table, name);
  }

  get(name: string): MessagePlan {
    let plan = this.#plans.get(name);
    if (plan === undefined) {
      plan = this.#compile(name);
      this.#plans.set(name, plan);
    }
    return plan;
  }

  #compile(name: string): MessagePlan {
    const special = specialForm(name, this);
    // Special forms know their fields.
    const fields = this.has(name) ? this.#table[name] : special === undefined ? undefined : {};
    if (fields === undefined) throw new ProtobufError(`no protobuf message is named ${name}`);
    const plans = Object.entries(fields).map(([key, field]) => this.#field(key, field));
    plans.sort((a, b) => a.number - b.number);
    return {
      name: name.slice(name.lastIndexOf('.') + 1),
      fields: plans,
      byNumber: new Map(plans.map((plan) => [plan.number, plan])),
      special,
    };
  }

  #field(protoName: string, [number, type, flags, jsonName]: ProtobufField): FieldPlan {
    const isScalar = SCALARS.has(type);
    const isMap = flags.includes('m');
    const valueWireType = isScalar ? wireTypeOf(type) : BYTES;
    let message: MessagePlan | undefined;
    return {
      number,
      key: jsonName ?? protoName,
      goName: protoName.slice(0, 1).toUpperCase() + protoName.slice(1),
      // Safe: it is in the set of scalar types.
      type: isScalar ? (type as ScalarType) : 'message',
      message: () => (message ??= this.get(type)),
      shape: isMap ? 'map' : flags.includes('r') ? 'repeated' : flags.includes('i') ? 'inline' : 'single',
      isPointer: flags.includes('p'),
      isAlways: flags.includes('a'),
      wireType: isMap ? BYTES : valueWireType,
      valueWireType,
    };
  }
}

function wireTypeOf(type: string): number {
  if (type === 'string' || type === 'bytes') return BYTES;
  return type === 'double' ? FIXED64 : VARINT;
}
