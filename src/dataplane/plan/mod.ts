/** From what is desired and what is applied to the edits of the kernel's maps. */
export { commitPlan } from "./commit.ts";
export type { Edit, Plan } from "./draft.ts";
export { isFirstUse, kernelEndpoint } from "./endpoints.ts";
export { abandonPlan, isEmpty, planFlush, type ServiceTarget } from "./plan.ts";
