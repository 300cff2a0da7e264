// Owns the signal that one operation cannot be compiled. It never leaves the compiler: the node is
// listed as unsupported, and so is nothing else.

export class Refusal extends Error {
  override readonly name = 'Refusal'
}

/** @param reason for whoever debugs a node; a record names the node and its operation only. */
export const refuse = (reason: string): never => {
  throw new Refusal(reason)
}

export const demand: (condition: boolean, reason: string) => asserts condition = (
  condition,
  reason,
) => {
  if (!condition) refuse(reason)
}
