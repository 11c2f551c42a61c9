/** How recordings of each mode are replayed. */

import assert from "node:assert/strict";
import { createAdsProtocol, createWorkloadProtocol } from "../../src/xds/mod.ts";
import {
  deltaRequestType,
  deltaResponseType,
  discoveryRequestType,
  discoveryResponseType,
} from "../../src/xds/proto/mod.ts";
import { comparable, isRefusal, spoilt } from "./_ads_recordings.ts";
import type { ReplayOptions } from "./_xds_replay.ts";

/** What no bytes of a message begin with. */
const garbage = Uint8Array.of(0xff);

export const workloadReplay: ReplayOptions = {
  create: () =>
    createWorkloadProtocol({ id: "ztunnel~10.0.0.1~z.istio-system~istio-system.svc.cluster.local" }),
  isRejection: (answer) => deltaRequestType.decode(answer).error_detail !== null,
  spoil: (bytes) => {
    const response = deltaResponseType.decode(bytes);
    const resource = { type_url: response.type_url, value: garbage };
    const resources = response.resources.map((one) => ({ ...one, resource }));
    return deltaResponseType.encode({ ...response, resources, removed_resources: [] });
  },
  check: (answers, response, rejected) => {
    const { nonce, type_url } = deltaResponseType.decode(response);
    assert.equal(answers.length, 1);
    const answer = deltaRequestType.decode(answers[0]);
    assert.deepEqual([answer.response_nonce, answer.type_url, answer.node], [nonce, type_url, null]);
    assert.equal(answer.error_detail !== null, rejected, `${answer.error_detail?.message}`);
  },
};

export const adsReplay: ReplayOptions = {
  create: () => createAdsProtocol({ id: "sidecar~10.0.0.1~a.b~b.svc.cluster.local" }, ""),
  comparable,
  isRejection: isRefusal,
  spoil: spoilt,
  check: (answers, response, rejected) => {
    const { nonce, type_url, version_info } = discoveryResponseType.decode(response);
    const answer = discoveryRequestType.decode(answers[0]);
    assert.deepEqual([answer.response_nonce, answer.type_url], [nonce, type_url]);
    assert.equal(answer.error_detail !== null, rejected, `${answer.error_detail?.message}`);
    assert.equal(answer.version_info === version_info, !rejected);
    assert.ok(answers.every((one) => discoveryRequestType.decode(one).node === null));
  },
};
