/** What differs between a pod and a template of one. */
export interface PodSpecOptions {
  readonly isPod: boolean;
  /** The name of the pod, which names the claims of its ephemeral volumes. */
  readonly podName?: string;
  /** What an older object was allowed to have stays allowed when it is updated. */
  readonly allowsOldDeletionCost?: boolean;
}
