import tseslint from 'typescript-eslint';

/** Folders of src/ from the lowest to the highest; each may import itself and what stands before it. */
const layers = ['engine', 'kernels', 'models', 'ensemble'];
const platformOnly = [
  { regex: '^node:', message: 'Only src/node and src/cli may use Node; the rest runs in a browser too.' },
  { regex: '^(sharp|webgpu)$', message: 'Only src/node and src/cli may use sharp and webgpu.' },
  { regex: '/(node|cli)/', message: 'Only src/cli and src/node.ts import src/node.' },
];

const above = (index) => [...layers.slice(index + 1), 'data', 'metrics', 'report', 'node', 'cli'];
const restrict = (folders) => [
  ...platformOnly,
  ...folders.map((name) => ({ regex: `/${name}/`, message: `Imports point one way: this folder is below ${name}/.` })),
];

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'docs/api/**', '**/*.mjs', '**/*.js', 'demo/**', 'runs/**'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['vitest.config.ts'] } } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/prefer-for-of': 'off',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/node/**', 'src/cli/**', 'src/node.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: platformOnly }] },
  },
  ...layers.map((layer, index) => ({
    files: [`src/${layer}/**/*.ts`],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: restrict(layer === 'ensemble' ? ['report', 'node', 'cli'] : above(index)) },
      ],
    },
  })),
);
