// Types of prepare.mjs, for the tests.
export declare const BASES: readonly string[]
export declare const prepareBase: (name: string, targetDir: string) => Promise<void>
export declare const findEmoji: (limitPerClass?: number) => Promise<Map<string, string[]>>
export declare const prepareEmoji: (
  targetDir: string,
  options?: { readonly limitPerClass?: number },
) => Promise<void>
