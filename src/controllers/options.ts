/** The settings of kube-controller-manager that these controllers use, with upstream's defaults. */
export interface ControllerOptions {
  /** `--node-monitor-grace-period`: without a heartbeat for this long a node counts as unknown. */
  readonly nodeMonitorGracePeriodMs: number;
  /** `--node-startup-grace-period`: the same for a node that never reported. */
  readonly nodeStartupGracePeriodMs: number;
  /** `--node-monitor-period`. */
  readonly nodeMonitorPeriodMs: number;
  /** `--node-eviction-rate`: nodes a second that are tainted NoExecute while a zone is healthy. */
  readonly nodeEvictionRate: number;
  /** `--secondary-node-eviction-rate`: the same in an unhealthy zone of more than the large-cluster size. */
  readonly secondaryNodeEvictionRate: number;
  /** `--unhealthy-zone-threshold`: share of nodes not ready from which a zone is unhealthy. */
  readonly unhealthyZoneThreshold: number;
  /** `--large-cluster-size-threshold`. */
  readonly largeClusterSizeThreshold: number;
  /** `--terminated-pod-gc-threshold`. */
  readonly terminatedPodThreshold: number;
  /** `--cluster-cidr`: where node pod ranges come from. */
  readonly clusterCidr: string;
  /** `--node-cidr-mask-size`. */
  readonly nodeCidrMaskSize: number;
  /** `--allocate-node-cidrs`. */
  readonly allocateNodeCidrs: boolean;
  /** The certificate authority that `kube-root-ca.crt` publishes, as PEM; empty: nothing is published. */
  readonly rootCa: string;
}

export const defaultControllerOptions: ControllerOptions = {
  nodeMonitorGracePeriodMs: 40_000,
  nodeStartupGracePeriodMs: 60_000,
  nodeMonitorPeriodMs: 5_000,
  nodeEvictionRate: 0.1,
  secondaryNodeEvictionRate: 0.01,
  unhealthyZoneThreshold: 0.55,
  largeClusterSizeThreshold: 50,
  terminatedPodThreshold: 12_500,
  clusterCidr: '10.244.0.0/16',
  nodeCidrMaskSize: 24,
  allocateNodeCidrs: true,
  rootCa: '',
};
