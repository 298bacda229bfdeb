/** A valid object of a kind, without what the test fills in: kind, apiVersion, name and namespace. */
export interface Fixture {
  readonly body: object;
  /** Where the kind has rules for names. The second object's name is `others[0]`. */
  readonly name?: string;
  readonly second?: string;
  /** A part of the second object that differs, because it must be unique or agree with the name. */
  readonly secondBody?: object;
  /** A merge patch of what the generation counts. Absent: the kind has no generation. */
  readonly change?: object;
  readonly changeType?: string;
  /** The generation is 1 for ever: nothing that it counts may change. */
  readonly isFixed?: boolean;
}
