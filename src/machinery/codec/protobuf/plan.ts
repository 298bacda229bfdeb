import { ProtobufError } from './errors.ts';
import { BYTES, FIXED64, VARINT } from './reader.ts';
import type { FieldPlan, MessagePlan, ProtobufField, ProtobufTable, ScalarType } from './model.ts';
import { specialForm } from './special.ts';

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
    const special = specialForm(name, (other) => this.get(other));
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
