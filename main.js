#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=6 --v8-pool-size=1 --invocation-count-for-turbofan=20000
// JavaScript: for a first file in TypeScript Node would load its compiler before the cache is there.
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// V8 lets what is young grow to 64 MB before it looks, and the allocator of the C library keeps room for each thread: the first
// line bounds both, which costs no time that could be measured. What compiles and collects beside the alarm path has one thread:
// four are in its way on two cores. The last tier of compiling costs more than it gives back before a storm is over: it takes
// only what really runs all the time, 20,000 calls instead of 3,000 (docs/bench.md, "Compiling").

// Starts in half the time, threads included, which inherit the variable. Beside the packages, where nobody writes who
// may not change the program itself.
process.env['NODE_COMPILE_CACHE'] = join(import.meta.dirname, 'node_modules', '.cache', 'duress-bridge')
enableCompileCache(process.env['NODE_COMPILE_CACHE'])

await import('./cli/commands.ts')
