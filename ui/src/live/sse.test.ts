import { expect, it } from "vitest";
import { EventParser } from "./sse";

it("puts events together however they are cut", () => {
  const text =
    'retry: 1000\nid: 7\nevent: ready\ndata: {"a":1}\n\nid: 8\r\n: \r\n\r\nid: 9\ndata: x\ndata: y\n\n';
  for (const size of [1, 2, 3, 7, 1000]) {
    const parser = new EventParser();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
    expect(found).toEqual([
      { id: "7", event: "ready", data: '{"a":1}' },
      { id: "8", event: "message", data: "" },
      { id: "9", event: "message", data: "x\ny" },
    ]);
  }
});
