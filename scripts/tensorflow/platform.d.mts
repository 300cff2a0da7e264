export function platformProblem(): string | null
export function assertDiskSpace(folder: string, neededMib: number): Promise<void>
