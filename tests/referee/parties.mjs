// What every module of operations shares: the devices of this process, by the hex of their account.
export const parties = new Map();

export const hex = (bytes) => Buffer.from(bytes).toString("hex");
export const raw = (text) => new Uint8Array(Buffer.from(text, "hex"));

// libsignal writes addresses into messages only if names are service ids: UUIDs with dashes.
export function serviceId(account) {
  return account.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export function addressOf(signal, account, device = 1) {
  return signal.ProtocolAddress.new(serviceId(account), device);
}
