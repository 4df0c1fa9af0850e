import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin';

/** What takes a text that only people read. */
const TELLS = new Set([
  'RaftError',
  'refusal',
  'reported',
  'badTarget',
  'assert',
  'debug',
  'wrong',
  'check',
  'warn',
  'createDebug',
  'Fields',
]);

/** Texts that the protocol fixes (section 1): original peers send them, too. */
const FIXED = [
  'can not find peer: ',
  'invalid state from master, state: ',
  'out of date beat, beat-from-term: ',
  ', beat-to-term: ',
];

const REASON = 'a text for people, which may be reworded';

/** Leaves the texts of errors, assertions and log lines alone: they may be reworded, so no test should know them. */
const texts = {
  shouldIgnore({ node, parent }) {
    if (node.type === 'FunctionDeclaration' && node.id.name.endsWith('Text')) return REASON;
    const isText = node.type === 'TemplateLiteral' || node.type === 'StringLiteral';
    if (!isText || isFixed(node)) return undefined;
    return isMessage(node, parent) ? REASON : undefined;
  },
};

function isMessage(node, parent) {
  if (parent?.type === 'VariableDeclarator') return ['message', 'expected', 'cause'].includes(parent.id.name);
  if (parent?.type !== 'NewExpression' && parent?.type !== 'CallExpression') return false;
  const isCode =
    parent.arguments.indexOf(node) === 0 &&
    !['debug', 'createDebug', 'badTarget'].includes(nameOf(parent.callee));
  return !isCode && TELLS.has(nameOf(parent.callee));
}

function nameOf(callee) {
  const { property = callee } = callee;
  return property.type === 'PrivateName' ? property.id.name : property.name;
}

function isFixed(node) {
  const parts = node.type === 'StringLiteral' ? [node.value] : node.quasis.map(({ value }) => value.cooked);
  return parts.some((part) => FIXED.includes(part));
}

export const strykerPlugins = [declareValuePlugin(PluginKind.Ignore, 'texts', texts)];
