"""`make golden`: writes the drawn parts of docs/protocol and the vectors of the wire anew."""

from __future__ import annotations

from tests.wire import pages, vectors


def main() -> None:
    """Rewrites what differs, and names it."""
    wanted = {page: pages.redrawn(page.read_text()) for page in sorted(pages.PAGES.glob("*.md"))}
    wanted |= {vectors.FOLDER / name: text for name, text in vectors.files().items()}
    vectors.FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in wanted.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {path.relative_to(pages.ROOT)}")


if __name__ == "__main__":
    main()
