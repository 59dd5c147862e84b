#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=16 --initial-old-space-size=48
// JavaScript: for a first file in TypeScript Node would load its compiler before the cache is there.
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// V8 lets what is young grow to 64 MB before it looks, and what is old to some 80 MB, half of which is only left from the start;
// the allocator of the C library keeps room for each thread. The first line bounds all three (docs/bench.md).

// Starts in half the time, threads included, which inherit the variable. Beside the packages, where nobody writes who
// may not change the program itself.
process.env['NODE_COMPILE_CACHE'] = join(import.meta.dirname, 'node_modules', '.cache', 'duress-bridge')
enableCompileCache(process.env['NODE_COMPILE_CACHE'])

await import('./cli/commands.ts')
