/** Mode ads: the state-of-the-world variant of xDS, and what it says as a mesh. */

export { createAdsProtocol } from "./protocol.ts";
