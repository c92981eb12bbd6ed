import { expect, it } from "vitest";
import type { Schemas } from "@/api/client";
import { pairFiles } from "./files";

const file = (path: string, text: string): Schemas["SourceFile"] => ({
  path,
  text,
  lines: 1,
  entry: false,
  line: null,
});

it("files are matched by path, and those that are the same left out", () => {
  const pairs = pairFiles(
    [file("a.py", "x\ny\n"), file("b.py", "same"), file("old.py", "1")],
    [file("a.py", "x\nz\n"), file("b.py", "same"), file("new.py", "1\n2")],
  );
  expect(pairs.map((each) => each.path)).toEqual(["a.py", "new.py", "old.py"]);
  expect(pairs[0]).toMatchObject({ removed: 1, added: 1, isNew: false, isGone: false });
  expect(pairs[1]).toMatchObject({ isNew: true, added: 2 });
  expect(pairs[2]).toMatchObject({ isGone: true, removed: 1 });
});
