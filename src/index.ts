export type { RaftCoreOptions } from './core/core.js';
export { RaftCore } from './core/core.js';
export type { Base, Batch, DataChanges, Op, StoredData, StoredDatum } from './core/datum.js';
export type { DatumChange, Datums } from './core/datums.js';
export type { RaftErrorCode, RaftErrorDetails } from './core/errors.js';
export { RaftError } from './core/errors.js';
export type { RaftEvents } from './core/events.js';
export {
  LeaderElectFinishedEvent,
  LeaderLostEvent,
  MakeLeaderEvent,
  StateChangeEvent,
} from './core/events.js';
export type { MemberChange } from './core/members.js';
export type { Member, Standpoint } from './core/membership.js';
export { Membership } from './core/membership.js';
export type {
  Beat,
  BeatData,
  BeatDataReply,
  BeatReply,
  Beats,
  BeatsReply,
  DatumKey,
  DatumsReply,
  ErrorReply,
  ForwardedWrite,
  GroupReplies,
  GroupRequest,
  GroupRequests,
  HoldReply,
  HoldRequest,
  HostStateReply,
  KeysReply,
  LeaderReply,
  LedGroup,
  ListedKey,
  MemberRequest,
  PeerReply,
  RaftReply,
  RaftRequest,
  ReadReply,
  RefusedBeat,
  ResignReply,
  ResignRequest,
  Revision,
  StateReply,
  Transfer,
  Vote,
  VoteReply,
  WriteReply,
  WritesReply,
  WritesRequest,
} from './core/messages.js';
export type {
  CommonMetrics,
  HostMetrics,
  LeaderChange,
  LinkMetrics,
  PeerMetrics,
  RaftMetrics,
  ReceivedMetrics,
  SaveMetrics,
  SentMetrics,
  Tally,
} from './core/metrics.js';
export type { NacosDatums, NacosWrite } from './core/nacos-datums.js';
export type {
  NacosCommit,
  NacosDatum,
  NacosDatumsReply,
  NacosDelete,
  NacosDoneReply,
  NacosGet,
  NacosPublish,
  NacosRemove,
  NacosRequest,
  NacosValue,
} from './core/nacos-messages.js';
export type {
  AnswerOutput,
  ChangesOutput,
  FetchPeerOutput,
  FoldOutput,
  NacosDatumOutput,
  NacosWrittenOutput,
  Output,
  SaveOutput,
  SendOutput,
  StoredState,
} from './core/outputs.js';
export type { PeerSnapshot, PeerState } from './core/peer.js';
export { RaftPeer } from './core/peer.js';
export type { Dues, RaftPeerSetOptions } from './core/peer-set.js';
export { RaftPeerSet } from './core/peer-set.js';
export type { RegistryLimits } from './core/registry.js';
export type { Rules, RulesName } from './core/rules.js';
export type { Snapshot } from './core/snapshot.js';
export type { Timing } from './core/timing.js';
export type { Forwarded, MembersWrite, Write } from './core/writes.js';
export type { Clock } from './node/clock.js';
export type { LateCalls, Submit, Watch } from './node/controller.js';
export { RaftController } from './node/controller.js';
export type { LeaderContext, WaitOptions } from './node/leading.js';
export type { Datum, DatumListener, KeyPattern } from './node/listeners.js';
export type { NacosChange, NacosData } from './node/nacos-data.js';
export type { NacosRegistry } from './node/nacos-registry.js';
export type { RaftNodeEvents, RaftWarning } from './node/node.js';
export { RaftNode } from './node/node.js';
export type { PresetName, RaftNodeOptions } from './node/options.js';
export type { AddPeerOptions, Published, WriteOptions } from './node/registry-client.js';
export type { GroupStore } from './stores/group-store.js';
export { MemoryStore } from './stores/memory.js';
export { MemoryGroupStore } from './stores/memory-groups.js';
export type { NacosDatumStore } from './stores/nacos-datums.js';
export type { RaftStore, Stored } from './stores/store.js';
export { MemoryNetwork, MemoryTransport } from './transports/memory.js';
export type { BroadcastOptions, Receive, RequestOptions, Transport } from './transports/transport.js';
