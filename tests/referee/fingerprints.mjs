// Safety numbers: fingerprints of 5,200 iterations, version 2.
import { hex, raw } from "./parties.mjs";

const ITERATIONS = 5200;
const VERSION = 2;

export default (signal) => {
  const fingerprint = ({ local, local_key, remote, remote_key }) =>
    signal.Fingerprint.new(
      ITERATIONS,
      VERSION,
      raw(local),
      signal.PublicKey.deserialize(raw(local_key)),
      raw(remote),
      signal.PublicKey.deserialize(raw(remote_key)),
    );

  return {
    async fingerprint(request) {
      const made = fingerprint(request);
      return {
        digits: made.displayableFingerprint().toString(),
        scannable: hex(made.scannableFingerprint().toBuffer()),
      };
    },

    async compare_fingerprint(request) {
      const scanned = signal.ScannableFingerprint._fromBuffer(raw(request.scanned));
      return { same: fingerprint(request).scannableFingerprint().compare(scanned) };
    },
  };
};
