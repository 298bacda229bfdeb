/** What differs between a pod and a template of one. */
export interface PodSpecOptions {
  readonly isPod: boolean;
}
