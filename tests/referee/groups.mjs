// Sender keys. A `distribution` is the hex of its 16 bytes; libsignal writes it with dashes.
import { addressOf, hex, parties, raw, serviceId } from "./parties.mjs";
import { timed } from "./timing.mjs";

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

    // Times `count` group messages from one party to another.
    async measure_groups({ party, peer, distribution, count }) {
      const { data } = await operations.distribute({ party, distribution });
      const rounds = Array(count).fill();
      const distribute = await timed(rounds, () =>
        operations.take_distribution({ party: peer, peer: party, data }),
      );
      const text = "00".repeat(100);
      const sent = [];
      const encrypt = await timed(rounds, async () => {
        sent.push(await operations.group_encrypt({ party, distribution, text }));
      });
      const decrypt = await timed(sent, ({ data }) =>
        operations.group_decrypt({ party: peer, peer: party, data }),
      );
      return { distribute, encrypt, decrypt };
    },
  };

  return operations;
};
