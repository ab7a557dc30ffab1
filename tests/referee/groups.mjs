// Sender keys. A `distribution` is the hex of its 16 bytes; libsignal writes it with dashes.
import { addressOf, hex, parties, raw, serviceId } from "./parties.mjs";

export default (signal) => {
  const keys = (request) => parties.get(request.party).senderKeys;
  const own = (request) => addressOf(signal, request.party);
  const peer = (request) => addressOf(signal, request.peer, request.device);

  const operations = {
    // Makes a sender key if there is none, and says what others need to read on from here.
    async distribute(request) {
      const message = await signal.SenderKeyDistributionMessage.create(
        own(request),
        serviceId(request.distribution),
        keys(request),
      );
      return { data: hex(message.serialize()) };
    },

    async take_distribution(request) {
      const message = signal.SenderKeyDistributionMessage.deserialize(raw(request.data));
      await signal.processSenderKeyDistributionMessage(peer(request), message, keys(request));
      return {
        distribution: message.distributionId().replaceAll("-", ""),
        chain: message.chainId(),
        iteration: message.iteration(),
      };
    },

    async group_encrypt(request) {
      const message = await signal.groupEncrypt(
        own(request),
        serviceId(request.distribution),
        keys(request),
        raw(request.text),
      );
      return { type: message.type(), data: hex(message.serialize()) };
    },

    async group_decrypt(request) {
      const text = await signal.groupDecrypt(peer(request), keys(request), raw(request.data));
      return { text: hex(text) };
    },

    // A new chain and signing key: a device that forgot its own.
    async forget_sender_key(request) {
      keys(request).kept.delete(`${own(request)}/${serviceId(request.distribution)}`);
      return {};
    },
  };

  return operations;
};
