/** Where a connection from this node would go, and why. */
export {
  type Destination,
  explain,
  type ExplainOptions,
  type Explanation,
  type LiveCounts,
} from "./explain.ts";
export { parseDestination } from "./destination.ts";
