/**
 * An object's bytes as they are stored and sent: `{"kind":…,"apiVersion":…,"metadata":{…},…}` without
 * `metadata.resourceVersion`, and with `metadata.managedFields` last in metadata.
 */
export interface EncodedObject {
  readonly bytes: Uint8Array;
  /** Where `"resourceVersion":"N",` belongs: right behind the brace that opens metadata. */
  readonly versionOffset: number;
  /** `bytes` without [managedStart, managedEnd) is the object without managedFields; both equal where it has none. */
  readonly managedStart: number;
  readonly managedEnd: number;
}
