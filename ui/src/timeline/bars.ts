/** A run's task runs in columns that grow: what a timeline of a hundred thousand bars is drawn from. */

import type { Schemas } from "@/api/client";
import { isOver, STATES } from "@/model/states";

export type TimelinePage = Schemas["TimelineView"];

/** Stands for a time that there is not. */
export const NONE = -1;

const STATE_PLACES = new Map<string, number>(STATES.map((state, place) => [state, place]));
const UNKNOWN_STATE = STATE_PLACES.get("pending") ?? 0;

export const statePlace = (state: string): number => STATE_PLACES.get(state) ?? UNKNOWN_STATE;

/** Which states are over, by place. */
export const OVER: readonly boolean[] = STATES.map(isOver);

/** Words of one kind, each with its place. */
class Words {
  readonly list: string[] = [];
  private readonly places = new Map<string, number>();

  place(word: string): number {
    let place = this.places.get(word);
    if (place === undefined) {
      place = this.list.length;
      this.list.push(word);
      this.places.set(word, place);
    }
    return place;
  }
}

/** Columns of task runs. Times are milliseconds after the run's origin; NONE is none. */
export class Bars {
  count = 0;
  idx = new Int32Array(1024);
  name = new Int32Array(1024);
  kind = new Int32Array(1024);
  parent = new Int32Array(1024);
  mapIndex = new Int32Array(1024);
  state = new Uint8Array(1024);
  attempt = new Int32Array(1024);
  added = new Float64Array(1024);
  started = new Float64Array(1024);
  ended = new Float64Array(1024);
  worker = new Int32Array(1024);
  keys: string[] = [];
  readonly names = new Words();
  readonly kinds = new Words();
  readonly workers = new Words();
  private readonly rows = new Map<number, number>();

  /** The row of a task run by its index in the run; -1 if it is not there. */
  rowOf(idx: number): number {
    return this.rows.get(idx) ?? -1;
  }

  nameOf(row: number): string {
    return this.names.list[this.name[row]!] ?? "";
  }

  kindOf(row: number): string {
    return this.kinds.list[this.kind[row]!] ?? "";
  }

  workerOf(row: number): string {
    return this.workers.list[this.worker[row]!] ?? "";
  }

  stateOf(row: number): string {
    return STATES[this.state[row]!] ?? "pending";
  }

  /** What people call it: its key, or its name with the item's number. */
  labelOf(row: number): string {
    const key = this.keys[row];
    if (key) return key;
    const item = this.mapIndex[row]!;
    return item >= 0 ? `${this.nameOf(row)}[${item}]` : this.nameOf(row);
  }

  /** When it ended, or `now` while it runs; NONE if it has not begun. */
  endOf(row: number, now: number): number {
    if (this.started[row] === NONE) return NONE;
    const ended = this.ended[row]!;
    if (ended !== NONE) return ended;
    return OVER[this.state[row]!] ? this.started[row]! : Math.max(now, this.started[row]!);
  }

  /** Take in a page of the API; task runs that are there already are replaced. */
  take(page: TimelinePage): void {
    const names = page.names.map((each) => this.names.place(each));
    const kinds = page.kinds.map((each) => this.kinds.place(each));
    const workers = page.workers.map((each) => this.workers.place(each));
    const states = page.states.map(statePlace);
    this.reserve(this.count + page.idx.length);
    for (let at = 0; at < page.idx.length; at++) {
      const idx = page.idx[at]!;
      let row = this.rows.get(idx);
      if (row === undefined) {
        row = this.count++;
        this.rows.set(idx, row);
        this.idx[row] = idx;
      }
      this.name[row] = names[page.name[at]!]!;
      this.kind[row] = kinds[page.kind[at]!]!;
      this.parent[row] = page.parent[at]!;
      this.mapIndex[row] = page.map_index[at]!;
      this.state[row] = states[page.state[at]!]!;
      this.attempt[row] = page.attempt[at]!;
      this.added[row] = page.added[at]!;
      this.started[row] = page.started[at]!;
      this.ended[row] = page.ended[at]!;
      this.worker[row] = workers[page.worker[at]!]!;
      if (page.keys.length > 0) this.keys[row] = page.keys[at]!;
    }
  }

  /** Take in one change that was told live.
   *
   * @returns Whether the task run was there: a new one has to be read.
   */
  change(idx: number, state: string, at: number): boolean {
    const row = this.rows.get(idx);
    if (row === undefined) return false;
    const place = statePlace(state);
    if (state === "running" && this.state[row] !== place) {
      this.started[row] = at;
      this.ended[row] = NONE;
      this.attempt[row]! += 1;
    } else if (OVER[place]) this.ended[row] = at;
    this.state[row] = place;
    return true;
  }

  /** The last moment that anything happened, up to `now` if something is open. */
  span(now: number): number {
    let last = 0;
    for (let row = 0; row < this.count; row++) {
      const end = OVER[this.state[row]!]
        ? Math.max(this.ended[row]!, this.started[row]!, this.added[row]!)
        : now;
      if (end > last) last = end;
    }
    return last;
  }

  private reserve(count: number): void {
    if (count <= this.idx.length) return;
    const size = Math.max(count, this.idx.length * 2);
    const grown = <T extends Int32Array | Uint8Array | Float64Array>(column: T): T => {
      const made = new (column.constructor as new (length: number) => T)(size);
      made.set(column as never);
      return made;
    };
    this.idx = grown(this.idx);
    this.name = grown(this.name);
    this.kind = grown(this.kind);
    this.parent = grown(this.parent);
    this.mapIndex = grown(this.mapIndex);
    this.state = grown(this.state);
    this.attempt = grown(this.attempt);
    this.added = grown(this.added);
    this.started = grown(this.started);
    this.ended = grown(this.ended);
    this.worker = grown(this.worker);
  }
}
