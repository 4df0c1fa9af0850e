export type { RaftCoreOptions } from './core/core.js';
export { RaftCore } from './core/core.js';
export type { RaftErrorCode, RaftErrorDetails } from './core/errors.js';
export { RaftError } from './core/errors.js';
export type { RaftEvents } from './core/events.js';
export {
  LeaderElectFinishedEvent,
  LeaderLostEvent,
  MakeLeaderEvent,
  StateChangeEvent,
} from './core/events.js';
export type { Member, Standpoint } from './core/membership.js';
export { Membership } from './core/membership.js';
export type {
  Beat,
  BeatReply,
  DatumKey,
  ErrorReply,
  HoldReply,
  HoldRequest,
  LeaderReply,
  PeerReply,
  RaftReply,
  RaftRequest,
  ResignReply,
  ResignRequest,
  Revision,
  StateReply,
  Transfer,
  Vote,
  VoteReply,
} from './core/messages.js';
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
  FetchPeerOutput,
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
export type { Timing } from './core/timing.js';
export type { Clock } from './node/clock.js';
export type { Submit } from './node/controller.js';
export { RaftController } from './node/controller.js';
export type { LeaderContext, WaitOptions } from './node/leading.js';
export type { Datum, DatumListener, KeyPattern } from './node/listeners.js';
export type { NacosChange, NacosData } from './node/nacos-data.js';
export type { RaftNodeEvents, RaftWarning } from './node/node.js';
export { RaftNode } from './node/node.js';
export type { PresetName, RaftNodeOptions } from './node/options.js';
export type { AddPeerOptions, Published, WriteOptions } from './node/registry-client.js';
export type { GroupStore } from './stores/group-store.js';
export { MemoryStore } from './stores/memory.js';
export { MemoryGroupStore } from './stores/memory-groups.js';
export type { NacosDatumStore } from './stores/nacos-datums.js';
export type { RaftStore } from './stores/store.js';
export { MemoryNetwork, MemoryTransport } from './transports/memory.js';
export type { BroadcastOptions, Receive, RequestOptions, Transport } from './transports/transport.js';
