export type { CaseRunner, ContractCase } from './contract.js';
export { groupStoreContract } from './group-store-contract.js';
export type { Linearizability, LinearizableOptions } from './linearizable.js';
export { checkLinearizable } from './linearizable.js';
export type {
  PublishOperation,
  ReadOperation,
  Refusal,
  RegistryOperation,
  RemoveOperation,
} from './registry-model.js';
export type { CheckName, Violation } from './sim/checks.js';
export type { DataReport } from './sim/data.js';
export type { Fault, FaultKind, FaultTrigger } from './sim/faults.js';
export { FAULT_KINDS } from './sim/faults.js';
export type { LinkWeather } from './sim/network.js';
export type { ShrunkRun } from './sim/shrink.js';
export { shrink } from './sim/shrink.js';
export type { SimOptions, SimReport } from './sim/simulate.js';
export { formatReport, simulate } from './sim/simulate.js';
export type { TimelineEntry } from './sim/timeline.js';
export { formatTimeline } from './sim/timeline.js';
export type { SimPeer } from './sim/watch.js';
export type { SimGroup, SimGroupHost, SimHostClass, SimNode, SimNodeClass } from './sim/world.js';
export type { StoreHarness, StorePlace } from './store-bench.js';
export { storeContract } from './store-contract.js';
export type { TransportHarness, TransportNetwork } from './transport-contract.js';
export { transportContract } from './transport-contract.js';
