/** The task run that is looked at: its key is in the address. */

import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { TaskPair } from "./compare";

interface Chosen {
  pair: TaskPair | undefined;
  find: string;
  onFind: (text: string) => void;
  onChange: (key: string) => void;
}

/** Where nothing is chosen, the first that the test holds for, or else the first. */
export function useChosen(pairs: readonly TaskPair[], first: (pair: TaskPair) => boolean): Chosen {
  const { at } = useSearch({ from: "/diff" });
  const navigate = useNavigate({ from: "/diff" });
  const pair = pairs.find((each) => each.key === at) ?? pairs.find(first) ?? pairs[0];
  const [find, setFind] = useState(pair?.key ?? "");
  useEffect(() => setFind(pair?.key ?? ""), [pair?.key]);
  return {
    pair,
    find,
    onFind: setFind,
    onChange: (key) => void navigate({ search: (old) => ({ ...old, at: key }), replace: true }),
  };
}
