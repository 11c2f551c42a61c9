/** How near an endpoint is, and which endpoints are tried first. */
export { createNodeFinder, type NodeFinder, type NodeOptions } from "./node.ts";
export { type Place, placeOn, rankOf } from "./rank.ts";
export { type Tier, tierRank, tiersOf } from "./tiers.ts";
