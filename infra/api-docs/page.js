// Shows the description beside this page. The page sends no request to another host.
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

// The emulator may listen on another port than the description and its samples name.
async function description() {
  const text = await (await fetch('openapi.json')).text();
  const [local] = JSON.parse(text).servers;
  if (!LOOPBACK.includes(location.hostname)) return text;
  return text.replaceAll(new URL(local.url.replace(/[{}]/g, '')).origin, location.origin);
}

description().then((content) => Scalar.createApiReference('#reference', {
  content,
  localization: { locale: document.documentElement.lang },
  // Features that would send requests to another host: fonts, telemetry, an assistant, a client behind a proxy.
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  hideTestRequestButton: true,
  showDeveloperTools: 'never',
  // The samples are those of docs/examples; none is generated.
  hiddenClients: true,
  documentDownloadType: 'json',
  orderSchemaPropertiesBy: 'preserve',
  // A table that is wider than the screen can be scrolled with keys.
  onLoaded: () => {
    for (const table of document.querySelectorAll('#reference .markdown table')) table.tabIndex = 0;
  },
}));

// The renderer's copy buttons have no accessible name. It adds operations, with their buttons, as the reader scrolls.
const COPY = document.documentElement.lang === 'en' ? 'Copy' : '复制';
new MutationObserver(() => {
  for (const button of document.querySelectorAll('.scalar-code-copy:not([aria-label])')) button.setAttribute('aria-label', COPY);
}).observe(document.getElementById('reference'), { childList: true, subtree: true });

// The anchors of operations are the same in both languages.
document.getElementById('switch').addEventListener('click', (event) => {
  const isPlace = location.hash.startsWith('#tag/');
  event.currentTarget.hash = isPlace ? location.hash : '';
});
