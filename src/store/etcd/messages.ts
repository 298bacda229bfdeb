import { type WireInteger, WireMessages } from '#net/grpc/message-codec.ts';

/** The part of etcd's v3 API that the store speaks; field numbers are the protocol's facts (`rpc.proto`, `kv.proto`). */
const MESSAGES = {
  ResponseHeader: 'revision:int64=3',
  KeyValue: 'key:bytes=1 createRevision:int64=2 modRevision:int64=3 version:int64=4 value:bytes=5',
  Event: 'type:int32=1 kv:KeyValue=2 prevKv:KeyValue=3',
  RangeRequest:
    'key:bytes=1 rangeEnd:bytes=2 limit:int64=3 revision:int64=4 serializable:bool=7 keysOnly:bool=8 countOnly:bool=9',
  RangeResponse: 'header:ResponseHeader=1 kvs:KeyValue[]=2 more:bool=3 count:int64=4',
  PutRequest: 'key:bytes=1 value:bytes=2 lease:int64=3 prevKv:bool=4',
  PutResponse: 'header:ResponseHeader=1 prevKv:KeyValue=2',
  DeleteRangeRequest: 'key:bytes=1 rangeEnd:bytes=2 prevKv:bool=3',
  DeleteRangeResponse: 'header:ResponseHeader=1 deleted:int64=2 prevKvs:KeyValue[]=3',
  RequestOp: 'requestRange:RangeRequest=1 requestPut:PutRequest=2 requestDeleteRange:DeleteRangeRequest=3',
  ResponseOp: 'responseRange:RangeResponse=1 responsePut:PutResponse=2 responseDeleteRange:DeleteRangeResponse=3',
  Compare: 'result:int32=1 target:int32=2 key:bytes=3 version:int64=4 modRevision:int64=6',
  TxnRequest: 'compare:Compare[]=1 success:RequestOp[]=2 failure:RequestOp[]=3',
  TxnResponse: 'header:ResponseHeader=1 succeeded:bool=2 responses:ResponseOp[]=3',
  CompactionRequest: 'revision:int64=1 physical:bool=2',
  CompactionResponse: 'header:ResponseHeader=1',
  WatchRequest: 'createRequest:WatchCreateRequest=1 progressRequest:WatchProgressRequest=3',
  WatchCreateRequest: 'key:bytes=1 rangeEnd:bytes=2 startRevision:int64=3 prevKv:bool=6 fragment:bool=8',
  WatchProgressRequest: '',
  WatchResponse:
    'header:ResponseHeader=1 created:bool=3 canceled:bool=4 compactRevision:int64=5 cancelReason:string=6 ' +
    'fragment:bool=7 events:Event[]=11',
  LeaseGrantRequest: 'ttl:int64=1 id:int64=2',
  LeaseGrantResponse: 'header:ResponseHeader=1 error:string=4',
  StatusRequest: '',
  StatusResponse: 'header:ResponseHeader=1 version:string=2 dbSize:int64=3 dbSizeInUse:int64=9',
} as const;

export const etcdMessages = new WireMessages(MESSAGES);

export type EtcdMessageName = keyof typeof MESSAGES;

export interface WireKeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: WireInteger;
  readonly modRevision: WireInteger;
  readonly version: WireInteger;
}

export interface WireHeader {
  readonly revision: WireInteger;
}

export interface WireRangeResponse {
  readonly header: WireHeader | null;
  readonly kvs: readonly WireKeyValue[];
  readonly more: boolean;
  readonly count: WireInteger;
}

export interface WireTxnResponse {
  readonly header: WireHeader | null;
  readonly succeeded: boolean;
  readonly responses: readonly {
    readonly responseRange: WireRangeResponse | null;
    readonly responsePut: { readonly prevKv: WireKeyValue | null } | null;
    readonly responseDeleteRange: { readonly prevKvs: readonly WireKeyValue[] } | null;
  }[];
}

export interface WireEvent {
  /** 0: put, 1: delete. */
  readonly type: number;
  readonly kv: WireKeyValue | null;
  readonly prevKv: WireKeyValue | null;
}

export interface WireWatchResponse {
  readonly header: WireHeader | null;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: WireInteger;
  readonly cancelReason: string;
  /** More of the same response follows. */
  readonly fragment: boolean;
  readonly events: readonly WireEvent[];
}

export interface WireStatus {
  readonly version: string;
  readonly dbSize: WireInteger;
  readonly dbSizeInUse: WireInteger;
}

/** Unary calls: service and method, request and response. */
export const UNARY = {
  range: { path: '/etcdserverpb.KV/Range', request: 'RangeRequest', response: 'RangeResponse' },
  put: { path: '/etcdserverpb.KV/Put', request: 'PutRequest', response: 'PutResponse' },
  txn: { path: '/etcdserverpb.KV/Txn', request: 'TxnRequest', response: 'TxnResponse' },
  compact: { path: '/etcdserverpb.KV/Compact', request: 'CompactionRequest', response: 'CompactionResponse' },
  leaseGrant: { path: '/etcdserverpb.Lease/LeaseGrant', request: 'LeaseGrantRequest', response: 'LeaseGrantResponse' },
  status: { path: '/etcdserverpb.Maintenance/Status', request: 'StatusRequest', response: 'StatusResponse' },
} as const satisfies Record<string, { path: string; request: EtcdMessageName; response: EtcdMessageName }>;

/** What each unary call answers. */
export interface UnaryResponses {
  range: WireRangeResponse;
  put: { readonly header: WireHeader | null };
  txn: WireTxnResponse;
  compact: { readonly header: WireHeader | null };
  leaseGrant: { readonly header: WireHeader | null; readonly error: string };
  status: WireStatus;
}

export type UnaryName = keyof typeof UNARY;

export const WATCH = {
  path: '/etcdserverpb.Watch/Watch',
  request: 'WatchRequest',
  response: 'WatchResponse',
} as const;

/** Of `Compare`. */
export const COMPARE_EQUAL = 0;
export const TARGET_VERSION = 0;
export const TARGET_MOD = 2;
