/**
 * Two esbuild plugins for packages that count on larger bundlers; only bundle.mjs uses them. `assets`: what a package fetches from beside itself,
 * `new URL('engine.wasm', import.meta.url)`, is copied under its own path, and the URL names the copy; a URL that names no file is left alone.
 * `nodeModules`: a package that also runs in Node gets nothing for Node's modules; it never gets there in a page.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

const BESIDE = /new URL\(\s*(["'`])([^"'`$]+)\1\s*,\s*import\.meta\.url\s*\)/g;

/** All bundles lie in `outdir` itself, so one relative URL fits each. */
export function assets({ root, outdir }) {
  const copyOf = (file) => {
    const path = relative(root, file);
    mkdirSync(dirname(join(outdir, path)), { recursive: true });
    copyFileSync(file, join(outdir, path));
    return `new URL("./${path}", import.meta.url)`;
  };
  return {
    name: 'assets',
    setup({ onLoad }) {
      onLoad({ filter: /node_modules\/.*\.m?js$/ }, ({ path }) => {
        const source = readFileSync(path, 'utf8');
        if (!source.includes('import.meta.url')) return undefined;
        const named = (all, _quote, name) => {
          const file = resolve(dirname(path), name);
          return existsSync(file) && statSync(file).isFile() ? copyOf(file) : all;
        };
        return { contents: source.replace(BESIDE, named), loader: 'js' };
      });
    },
  };
}

export function nodeModules() {
  const names = [...builtinModules, 'ws'].map((name) => name.replace(/[/.]/g, '\\$&'));
  return {
    name: 'node-modules',
    setup({ onLoad, onResolve }) {
      onResolve({ filter: new RegExp(`^(node:.*|${names.join('|')})$`) }, ({ path }) => ({ path, namespace: 'node-modules' }));
      onLoad({ filter: /.*/, namespace: 'node-modules' }, () => ({ contents: 'module.exports = {};', loader: 'js' }));
    },
  };
}
