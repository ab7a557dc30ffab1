"""The primitives that we use, against the vectors of others: Wycheproof, ACVP, Kyber's own."""

import json
from collections.abc import Callable
from hashlib import sha3_256
from hmac import digest
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV
from kyber_py.ml_kem import ML_KEM_1024

from linnet.crypto import kem
from linnet.crypto.cbc import decrypt_cbc, encrypt_cbc
from linnet.crypto.curve import agree
from linnet.crypto.errors import BadKey, Malformed
from linnet.crypto.kdf import hkdf
from linnet.crypto.spqr import kem as spqr_kem

VECTORS: Final = Path(__file__).parents[1] / "vectors"
P: Final = 2**255 - 19


def every(*files: str) -> Callable[[Callable[[dict[str, Any]], None]], Callable[[], None]]:
    """Run the test for every case of these files; a failure names the case."""

    def decorate(test: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        def whole() -> None:
            for file in files:
                for group in json.loads((VECTORS / file).read_text())["testGroups"]:
                    for case in group["tests"]:
                        try:
                            test(case)
                        except BaseException as failure:
                            failure.add_note(f"{file}, test {case['tcId']}")
                            raise

        whole.__name__ = test.__name__
        return whole

    return decorate


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


@every("wycheproof/x25519.json")
def test_x25519(case: dict[str, Any]) -> None:
    public = b"\x05" + raw(case["public"])
    canonical = int.from_bytes(public[1:], "little") < P
    if not canonical or not any(raw(case["shared"])):
        # "acceptable" to Wycheproof; we refuse what is not canonical or of small order.
        assert case["result"] == "acceptable"
        with pytest.raises(BadKey):
            agree(raw(case["private"]), public)
    else:
        assert agree(raw(case["private"]), public) == raw(case["shared"])


@every("wycheproof/hkdf_sha256.json")
def test_hkdf_sha256(case: dict[str, Any]) -> None:
    ikm, info, salt = raw(case["ikm"]), raw(case["info"]), raw(case["salt"])
    if case["result"] == "valid":
        assert hkdf(ikm, info, case["size"], salt) == raw(case["okm"])
    else:
        with pytest.raises(ValueError, match="8160"):
            hkdf(ikm, info, case["size"], salt)


@every("wycheproof/hmac_sha256.json")
def test_hmac_sha256_whole_or_cut(case: dict[str, Any]) -> None:
    tag = raw(case["tag"])
    made = digest(raw(case["key"]), raw(case["msg"]), "sha256")
    assert (made[: len(tag)] == tag) == (case["result"] == "valid")


@every("wycheproof/aes_cbc_pkcs5.json")
def test_aes_cbc_with_padding(case: dict[str, Any]) -> None:
    key, iv = raw(case["key"]), raw(case["iv"])
    text, ciphertext = raw(case["msg"]), raw(case["ct"])
    if case["result"] == "valid":
        assert encrypt_cbc(key, iv, text) == ciphertext
        assert decrypt_cbc(key, iv, ciphertext) == text
    else:
        with pytest.raises(Malformed):
            decrypt_cbc(key, iv, ciphertext)


@every("wycheproof/aes_gcm.json")
def test_aes_gcm(case: dict[str, Any]) -> None:
    check_aead(AESGCM(raw(case["key"])), case)


@every("wycheproof/aes_gcm_siv.json")
def test_aes_gcm_siv(case: dict[str, Any]) -> None:
    check_aead(AESGCMSIV(raw(case["key"])), case)


def check_aead(cipher: AESGCM | AESGCMSIV, case: dict[str, Any]) -> None:
    nonce, text, aad = raw(case["iv"]), raw(case["msg"]), raw(case["aad"])
    sealed = raw(case["ct"]) + raw(case["tag"])
    if case["result"] == "valid":
        assert cipher.encrypt(nonce, text, aad) == sealed
        assert cipher.decrypt(nonce, sealed, aad) == text
    else:
        with pytest.raises(InvalidTag):
            cipher.decrypt(nonce, sealed, aad)


@every("wycheproof/mlkem_1024.json")
def test_ml_kem_1024_decapsulation(case: dict[str, Any]) -> None:
    ciphertext = raw(case["c"])
    if case["result"] == "valid":
        expected = kem.round_3(raw(case["K"]), ciphertext)
        assert kem.decapsulate(raw(case["seed"]), b"\x08" + ciphertext) == expected
    else:
        with pytest.raises((BadKey, ValueError)):
            kem.decapsulate(raw(case["seed"]), b"\x08" + ciphertext)


@every("wycheproof/mlkem_1024_encaps.json")
def test_ml_kem_1024_refuses_keys_that_are_not_reduced(case: dict[str, Any]) -> None:
    with pytest.raises(BadKey):
        kem.encapsulate(b"\x08" + raw(case["ek"]))


@every("wycheproof/mlkem_768.json")
def test_ml_kem_768_decapsulation(case: dict[str, Any]) -> None:
    ct1, ct2 = raw(case["c"])[: spqr_kem.CT1_BYTES], raw(case["c"])[spqr_kem.CT1_BYTES :]
    if case["result"] == "valid":
        assert spqr_kem.decapsulate(raw(case["seed"]), ct1, ct2) == raw(case["K"])
    else:
        with pytest.raises(ValueError, match="ML-KEM-768"):
            spqr_kem.decapsulate(raw(case["seed"]), ct1, ct2)


@every("wycheproof/mlkem_768_encaps.json", "acvp/ML-KEM-768-encap-FIPS203.json")
def test_ml_kem_768_encapsulation_in_two_steps(case: dict[str, Any]) -> None:
    vector, rho = raw(case["ek"])[:-32], raw(case["ek"])[-32:]
    header = rho + sha3_256(vector + rho).digest()
    assert spqr_kem.matches(header, vector)
    first = spqr_kem.encapsulate_1(header, raw(case["m"]))
    if case.get("result") == "invalid":
        with pytest.raises(BadKey):
            spqr_kem.encapsulate_2(first.kept, vector)
    else:
        assert first.ct1 + spqr_kem.encapsulate_2(first.kept, vector) == raw(case["c"])
        assert first.secret == raw(case.get("K") or case["k"])


@every("acvp/ML-KEM-768-keyGen-FIPS203.json")
def test_ml_kem_768_key_generation(case: dict[str, Any]) -> None:
    key = raw(case["ek"])
    parts = spqr_kem.public_parts(raw(case["d"]) + raw(case["z"]))
    assert parts.vector + parts.header[:32] == key
    assert parts.header[32:] == sha3_256(key).digest()


@every("acvp/ML-KEM-keyGen-FIPS203.json")
def test_ml_kem_1024_key_generation(case: dict[str, Any]) -> None:
    pair = kem.generate(lambda size: raw(case["d"]) + raw(case["z"]))
    assert pair.public == b"\x08" + raw(case["ek"])


@every("acvp/ML-KEM-encapDecap-FIPS203.json")
def test_ml_kem_1024_encapsulation_to_given_keys(case: dict[str, Any]) -> None:
    key = raw(case["dk"])
    # The oracle first: it must agree with the vector before it may judge us.
    assert ML_KEM_1024.decaps(key, raw(case["c"])) == raw(case["k"])
    ciphertext, secret = kem.encapsulate(b"\x08" + raw(case["ek"]))
    assert secret == kem.round_3(ML_KEM_1024.decaps(key, ciphertext[1:]), ciphertext[1:])


def test_round_3_is_what_kyber_was_before_the_standard() -> None:
    known = json.loads((VECTORS / "kyber/kyber_1024_round_3.json").read_text())["tests"]
    for case in known:
        ciphertext = raw(case["ct"])
        standard = ML_KEM_1024.decaps(raw(case["sk"]), ciphertext)
        assert kem.round_3(standard, ciphertext) == raw(case["ss"])
    assert len(known) == 3
