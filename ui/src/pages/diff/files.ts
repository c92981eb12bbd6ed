/** The files of two versions, matched by their paths. */

import type { Schemas } from "@/api/client";
import { diffLines, linesOf } from "@/model/lines";

type File = Schemas["SourceFile"];

export interface FilePair {
  path: string;
  before: string;
  after: string;
  isNew: boolean;
  isGone: boolean;
  removed: number;
  added: number;
}

/** Those that differ, in the order of the second version, then those that are gone. */
export function pairFiles(a: readonly File[], b: readonly File[]): FilePair[] {
  const old = new Map(a.map((file) => [file.path, file.text]));
  const now = new Set(b.map((file) => file.path));
  const pair = (path: string, before: string | undefined, after: string | undefined): FilePair => {
    const { removed, added } = diffLines(linesOf(before ?? ""), linesOf(after ?? ""));
    return {
      path,
      before: before ?? "",
      after: after ?? "",
      isNew: before === undefined,
      isGone: after === undefined,
      removed,
      added,
    };
  };
  return [
    ...b
      .filter((file) => old.get(file.path) !== file.text)
      .map((file) => pair(file.path, old.get(file.path), file.text)),
    ...a.filter((file) => !now.has(file.path)).map((file) => pair(file.path, file.text, undefined)),
  ];
}
