// The real libraries and the built adapters, as globals of pages/adapters.html for the tests' functions. bundle.mjs beside it bundles this.
import * as compat from 'tabhub/compat';
import * as drizzleAdapter from 'tabhub/drizzle';
import * as kyselyAdapter from 'tabhub/kysely';
import * as reactAdapter from 'tabhub/react';
import * as solidAdapter from 'tabhub/solid';
import * as vueAdapter from 'tabhub/vue';
import * as drizzleOrm from 'drizzle-orm';
import * as drizzleCore from 'drizzle-orm/sqlite-core';
import * as kysely from 'kysely';
import * as react from 'react';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import * as solid from 'solid-js';
import * as svelte from 'svelte';
import * as vue from 'vue';
import * as tabhub from 'tabhub';
import Stars from './Stars.svelte';

Object.assign(globalThis, {
  tabhub, compat, drizzleOrm, drizzleCore, drizzleAdapter, kysely, kyselyAdapter, react, createRoot, flushSync, reactAdapter, solid, solidAdapter, svelte, Stars, vue, vueAdapter,
});
