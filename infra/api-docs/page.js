// Hands the description beside the page to the renderer. Nothing comes from elsewhere, and nothing is sent.
Scalar.createApiReference('#reference', {
  url: 'openapi.json',
  localization: { locale: document.documentElement.lang },
  // What would ask another server: fonts, figures of use, an assistant, a client that sends requests by a proxy.
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  hideTestRequestButton: true,
  showDeveloperTools: 'never',
  // The samples are ours, and not generated.
  hiddenClients: true,
  documentDownloadType: 'json',
  orderSchemaPropertiesBy: 'preserve',
  // Without a mouse a table that is wider than the screen is scrolled by keys.
  onLoaded: () => {
    for (const table of document.querySelectorAll('#reference .markdown table')) table.tabIndex = 0;
  },
});

// The places of operations are called the same in both languages.
document.getElementById('switch').addEventListener('click', (event) => {
  const isPlace = location.hash.startsWith('#tag/');
  event.currentTarget.hash = isPlace ? location.hash : '';
});
