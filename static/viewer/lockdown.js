/* The first script in the frame, before any byte of a document: takes away what a policy of contents
 * does not cover in every browser. WebRTC sends to whoever it is told to, whatever `connect-src`
 * says; where the browser knows `Connection-Allowlist`, that stops it as well.
 *
 * Another window would have these anew. There is none to be had: a frame within this one has an
 * origin of its own, which nobody reaches into, and no script but ours runs there.
 */

const NAMES = [
  "RTCPeerConnection",
  "webkitRTCPeerConnection",
  "mozRTCPeerConnection",
  "RTCDataChannel",
  "RTCIceTransport",
  "RTCDtlsTransport",
  "RTCSctpTransport",
];

for (const name of NAMES) {
  Object.defineProperty(globalThis, name, {
    value: undefined,
    writable: false,
    configurable: false,
  });
}
