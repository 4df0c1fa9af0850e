export type { ContractCase } from './contract.js';
export type { StoreHarness, StorePlace } from './store-contract.js';
export { storeContract } from './store-contract.js';
export type { TransportHarness, TransportNetwork } from './transport-contract.js';
export { transportContract } from './transport-contract.js';
