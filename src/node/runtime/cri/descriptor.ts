import protobuf from 'protobufjs/light.js';

/**
 * The part of CRI's `runtime.v1` that this client speaks. One line a message: `name:type=number`, where a type that
 * ends in `[]` is repeated and `map` is `map<string, string>`. Field numbers are the protocol's facts
 * (kubernetes/cri-api, `pkg/apis/runtime/v1/api.proto`); fields and messages we never touch are left out, and protobuf
 * skips them on the wire.
 */
const MESSAGES: Readonly<Record<string, string>> = {
  Empty: '',
  VersionRequest: 'version:string=1',
  VersionResponse: 'version:string=1 runtimeName:string=2 runtimeVersion:string=3 runtimeApiVersion:string=4',
  StatusRequest: 'verbose:bool=1',
  StatusResponse: 'status:RuntimeStatus=1 features:RuntimeFeatures=4',
  RuntimeStatus: 'conditions:RuntimeCondition[]=1',
  RuntimeCondition: 'type:string=1 status:bool=2 reason:string=3 message:string=4',
  RuntimeFeatures: 'supplementalGroupsPolicy:bool=1',
  UpdateRuntimeConfigRequest: 'runtimeConfig:RuntimeConfig=1',
  RuntimeConfig: 'networkConfig:NetworkConfig=1',
  NetworkConfig: 'podCidr:string=1',

  DnsConfig: 'servers:string[]=1 searches:string[]=2 options:string[]=3',
  PortMapping: 'protocol:Protocol=1 containerPort:int32=2 hostPort:int32=3 hostIp:string=4',
  Mount: 'containerPath:string=1 hostPath:string=2 readonly:bool=3 propagation:MountPropagation=5',
  NamespaceOption: 'network:NamespaceMode=1 pid:NamespaceMode=2 ipc:NamespaceMode=3 targetId:string=4',
  Int64Value: 'value:int64=1',
  UInt64Value: 'value:uint64=1',
  SecurityProfile: 'profileType:ProfileType=1 localhostRef:string=2',
  SandboxSecurityContext:
    'namespaceOptions:NamespaceOption=1 runAsUser:Int64Value=3 readonlyRootfs:bool=4 supplementalGroups:int64[]=5 ' +
    'privileged:bool=6 runAsGroup:Int64Value=8 seccomp:SecurityProfile=9',
  LinuxSandboxConfig: 'cgroupParent:string=1 securityContext:SandboxSecurityContext=2 sysctls:map=3',
  PodSandboxMetadata: 'name:string=1 uid:string=2 namespace:string=3 attempt:uint32=4',
  PodSandboxConfig:
    'metadata:PodSandboxMetadata=1 hostname:string=2 logDirectory:string=3 dnsConfig:DnsConfig=4 ' +
    'portMappings:PortMapping[]=5 labels:map=6 annotations:map=7 linux:LinuxSandboxConfig=8',
  RunPodSandboxRequest: 'config:PodSandboxConfig=1 runtimeHandler:string=2',
  PodSandboxIdMessage: 'podSandboxId:string=1',
  PodSandboxStatusResponse: 'status:PodSandboxStatus=1',
  PodSandboxStatus:
    'id:string=1 metadata:PodSandboxMetadata=2 state:PodSandboxState=3 createdAt:int64=4 ' +
    'network:PodSandboxNetworkStatus=5 labels:map=7 annotations:map=8',
  PodSandboxNetworkStatus: 'ip:string=1 additionalIps:PodIp[]=2',
  PodIp: 'ip:string=1',
  PodSandboxFilter: 'id:string=1 labelSelector:map=3',
  ListPodSandboxRequest: 'filter:PodSandboxFilter=1',
  ListPodSandboxResponse: 'items:PodSandbox[]=1',
  PodSandbox:
    'id:string=1 metadata:PodSandboxMetadata=2 state:PodSandboxState=3 createdAt:int64=4 labels:map=5 annotations:map=6',

  ImageSpec: 'image:string=1 userSpecifiedImage:string=18',
  KeyValue: 'key:string=1 value:string=2',
  LinuxContainerResources:
    'cpuPeriod:int64=1 cpuQuota:int64=2 cpuShares:int64=3 memoryLimitInBytes:int64=4 oomScoreAdj:int64=5 unified:map=9',
  Capability: 'addCapabilities:string[]=1 dropCapabilities:string[]=2',
  ContainerSecurityContext:
    'capabilities:Capability=1 privileged:bool=2 namespaceOptions:NamespaceOption=3 runAsUser:Int64Value=5 ' +
    'runAsUsername:string=6 readonlyRootfs:bool=7 supplementalGroups:int64[]=8 noNewPrivs:bool=11 ' +
    'runAsGroup:Int64Value=12 maskedPaths:string[]=13 readonlyPaths:string[]=14 seccomp:SecurityProfile=15',
  LinuxContainerConfig: 'resources:LinuxContainerResources=1 securityContext:ContainerSecurityContext=2',
  ContainerMetadata: 'name:string=1 attempt:uint32=2',
  Device: 'containerPath:string=1 hostPath:string=2 permissions:string=3',
  ContainerConfig:
    'metadata:ContainerMetadata=1 image:ImageSpec=2 command:string[]=3 args:string[]=4 workingDir:string=5 ' +
    'envs:KeyValue[]=6 mounts:Mount[]=7 devices:Device[]=8 labels:map=9 annotations:map=10 logPath:string=11 ' +
    'stdin:bool=12 stdinOnce:bool=13 tty:bool=14 linux:LinuxContainerConfig=15 stopSignal:Signal=18',
  CreateContainerRequest: 'podSandboxId:string=1 config:ContainerConfig=2 sandboxConfig:PodSandboxConfig=3',
  ContainerIdMessage: 'containerId:string=1',
  StopContainerRequest: 'containerId:string=1 timeout:int64=2',
  ContainerFilter: 'id:string=1 podSandboxId:string=3 labelSelector:map=4',
  ListContainersRequest: 'filter:ContainerFilter=1',
  ListContainersResponse: 'containers:Container[]=1',
  Container:
    'id:string=1 podSandboxId:string=2 metadata:ContainerMetadata=3 image:ImageSpec=4 imageRef:string=5 ' +
    'state:ContainerState=6 createdAt:int64=7 labels:map=8 annotations:map=9',
  ContainerStatusRequest: 'containerId:string=1 verbose:bool=2',
  ContainerStatusResponse: 'status:ContainerStatus=1 info:map=2',
  ContainerStatus:
    'id:string=1 metadata:ContainerMetadata=2 state:ContainerState=3 createdAt:int64=4 startedAt:int64=5 ' +
    'finishedAt:int64=6 exitCode:int32=7 image:ImageSpec=8 imageRef:string=9 reason:string=10 message:string=11 ' +
    'labels:map=12 annotations:map=13 mounts:Mount[]=14 logPath:string=15 user:ContainerUser=18',
  ContainerUser: 'linux:LinuxContainerUser=1',
  LinuxContainerUser: 'uid:int64=1 gid:int64=2 supplementalGroups:int64[]=3',
  UpdateContainerResourcesRequest: 'containerId:string=1 linux:LinuxContainerResources=2',
  ContainerStatsFilter: 'id:string=1 podSandboxId:string=2 labelSelector:map=3',
  ListContainerStatsRequest: 'filter:ContainerStatsFilter=1',
  ListContainerStatsResponse: 'stats:ContainerStats[]=1',
  ContainerStats:
    'attributes:ContainerAttributes=1 cpu:CpuUsage=2 memory:MemoryUsage=3 writableLayer:FilesystemUsage=4',
  ContainerAttributes: 'id:string=1 metadata:ContainerMetadata=2 labels:map=3',
  CpuUsage: 'timestamp:int64=1 usageCoreNanoSeconds:UInt64Value=2',
  MemoryUsage: 'timestamp:int64=1 workingSetBytes:UInt64Value=2 usageBytes:UInt64Value=4',
  FilesystemIdentifier: 'mountpoint:string=1',
  FilesystemUsage: 'timestamp:int64=1 fsId:FilesystemIdentifier=2 usedBytes:UInt64Value=3 inodesUsed:UInt64Value=4',

  ExecSyncRequest: 'containerId:string=1 cmd:string[]=2 timeout:int64=3',
  ExecSyncResponse: 'stdout:bytes=1 stderr:bytes=2 exitCode:int32=3',
  ExecRequest: 'containerId:string=1 cmd:string[]=2 tty:bool=3 stdin:bool=4 stdout:bool=5 stderr:bool=6',
  AttachRequest: 'containerId:string=1 stdin:bool=2 tty:bool=3 stdout:bool=4 stderr:bool=5',
  PortForwardRequest: 'podSandboxId:string=1 port:int32[]=2',
  UrlResponse: 'url:string=1',

  ImageRequest: 'image:ImageSpec=1 verbose:bool=2',
  ImageStatusResponse: 'image:Image=1',
  ListImagesResponse: 'images:Image[]=1',
  Image:
    'id:string=1 repoTags:string[]=2 repoDigests:string[]=3 size:uint64=4 uid:Int64Value=5 username:string=6 pinned:bool=8',
  AuthConfig: 'username:string=1 password:string=2 serverAddress:string=4',
  PullImageRequest: 'image:ImageSpec=1 auth:AuthConfig=2 sandboxConfig:PodSandboxConfig=3',
  PullImageResponse: 'imageRef:string=1',
  ImageFsInfoResponse: 'imageFilesystems:FilesystemUsage[]=1',

  ContainerEventResponse:
    'containerId:string=1 containerEventType:ContainerEventType=2 createdAt:int64=3 ' +
    'podSandboxStatus:PodSandboxStatus=4',
};

const ENUMS: Readonly<Record<string, readonly string[]>> = {
  Protocol: ['TCP', 'UDP', 'SCTP'],
  MountPropagation: ['PRIVATE', 'HOST_TO_CONTAINER', 'BIDIRECTIONAL'],
  NamespaceMode: ['POD', 'CONTAINER', 'NODE', 'TARGET'],
  ProfileType: ['RuntimeDefault', 'Unconfined', 'Localhost'],
  PodSandboxState: ['READY', 'NOTREADY'],
  ContainerState: ['CREATED', 'RUNNING', 'EXITED', 'UNKNOWN'],
  ContainerEventType: ['created', 'started', 'stopped', 'deleted'],
  // CRI numbers signals alphabetically; the real-time ones past SIGXFSZ are not offered.
  Signal: (
    'RUNTIME_DEFAULT SIGABRT SIGALRM SIGBUS SIGCHLD SIGCLD SIGCONT SIGFPE SIGHUP SIGILL SIGINT SIGIO SIGIOT SIGKILL ' +
    'SIGPIPE SIGPOLL SIGPROF SIGPWR SIGQUIT SIGSEGV SIGSTKFLT SIGSTOP SIGSYS SIGTERM SIGTRAP SIGTSTP SIGTTIN SIGTTOU ' +
    'SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ'
  ).split(' '),
};

/** Encoder and decoder of one message. */
export interface MessageCodec {
  readonly encode: (value: Readonly<Record<string, unknown>>) => Buffer;
  /** Fills in every default, so that what is read is never absent but for sub-messages (null). */
  readonly decode: (bytes: Uint8Array) => unknown;
}

/** The codecs by message name; made at first use, because most processes never speak CRI. */
export class CriMessages {
  readonly #root = protobuf.Root.fromJSON({ nested: { ...messageJson(), ...enumJson() } });
  readonly #codecs = new Map<string, MessageCodec>();

  codec(name: string): MessageCodec {
    const known = this.#codecs.get(name);
    if (known !== undefined) return known;
    const type = this.#root.lookupType(name);
    const codec: MessageCodec = {
      encode: (value) => Buffer.from(type.encode(type.fromObject(value)).finish()),
      decode: (bytes) =>
        type.toObject(type.decode(bytes), {
          longs: Number,
          enums: String,
          defaults: true,
          arrays: true,
          objects: true,
        }),
    };
    this.#codecs.set(name, codec);
    return codec;
  }
}

function messageJson(): Record<string, protobuf.IType> {
  const types: Record<string, protobuf.IType> = {};
  for (const [name, text] of Object.entries(MESSAGES)) {
    const fields: Record<string, protobuf.IField | protobuf.IMapField> = {};
    for (const field of text.split(' ').filter((part) => part !== '')) {
      const [fieldName = '', rest = ''] = field.split(':');
      const [type = '', id = ''] = rest.split('=');
      fields[fieldName] = fieldJson(type, Number(id));
    }
    types[name] = { fields };
  }
  return types;
}

function fieldJson(type: string, id: number): protobuf.IField | protobuf.IMapField {
  if (type === 'map') return { keyType: 'string', type: 'string', id };
  // proto3 packs repeated scalars.
  if (type.endsWith('[]')) return { rule: 'repeated', type: type.slice(0, -2), id, options: { packed: true } };
  return { type, id };
}

function enumJson(): Record<string, protobuf.IEnum> {
  const enums: Record<string, protobuf.IEnum> = {};
  for (const [name, values] of Object.entries(ENUMS)) {
    enums[name] = { values: Object.fromEntries(values.map((value, index) => [value, index])) };
  }
  return enums;
}
