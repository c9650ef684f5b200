/**
 * What the members of a team say to each other in the memory of a plan, before its first buffer: byte addresses, those
 * that different members write to in cache lines of their own.
 *
 * A piece of work is open while the number of its parts is more than those taken. All three numbers are in `ticket`: the
 * caller takes parts from the front and workers from the back, so that memory is touched by the same core from run to
 * run. Taking a part is one atomic addition, whose result says by itself whether there was one left.
 */
export const words = {
  ticket: 0,
  /** Parts that are done. */
  done: 64,
  /** 1 while the caller sleeps until all parts are done. */
  joining: 68,
  /** Members that sleep, or are about to. */
  sleepers: 128,
  /** Which piece of work is open, and counters of the loops around it, the outermost first. */
  section: 192,
  counters: 196,
} as const;

/** Loops around a piece of work whose counters have a place. */
export const mostCounters = 15;
/** Where numbers lie in `ticket`: parts taken from the front, parts taken from the back, and all there are. */
export const ticket: { readonly back: 10; readonly parts: 20; readonly mask: 0x3ff } = {
  back: 10,
  parts: 20,
  mask: 0x3ff,
};
export const mostMembers = 64;
/** Parts of a piece of work, at most: members that find none have counted on. */
export const mostParts: number = ticket.mask - mostMembers;

/**
 * What a team shares besides, as places in an array of int32: the plan whose memory is to be watched, a bell that is
 * counted up to wake whoever sleeps, and of each worker messages sent to it and what it does.
 */
export const control: Readonly<
  Record<"program" | "bell" | "trapped" | "mail" | "state" | "length", number>
> = {
  program: 0,
  bell: 1,
  /** The worker whose part trapped, or 0. */
  trapped: 2,
  mail: 8,
  state: 8 + mostMembers,
  length: 8 + 2 * mostMembers,
};

/** What a worker does. */
export const states = { starting: 0, waiting: 1, working: 2, gone: 3 } as const;
