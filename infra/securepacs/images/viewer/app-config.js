/* OHIF's configuration: one data source, the archive behind the same address; nothing else is asked. */
window.config = {
  routerBasename: null,
  extensions: [],
  modes: [],
  // No tour: it covers the image at each first visit, and on a shared machine each visit is the first.
  customizationService: { 'ohif.tours': { $set: [] } },
  showStudyList: true,
  maxNumberOfWebWorkers: 2,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false,
  showLoadingIndicator: true,
  strictZSpacingForVolumeViewport: true,
  groupEnabledModesFirst: true,
  maxNumRequests: { interaction: 100, thumbnail: 10, prefetch: 25 },
  showErrorDetails: 'production',
  // The viewer is not a certified medical device: it says so once a day.
  investigationalUseDialog: { option: 'days', days: 1 },
  defaultDataSourceName: 'archive',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'archive',
      configuration: {
        friendlyName: 'Archive',
        name: 'archive',
        wadoUriRoot: '/dicom-web',
        qidoRoot: '/dicom-web',
        wadoRoot: '/dicom-web',
        qidoSupportsIncludeField: false,
        imageRendering: 'wadors',
        thumbnailRendering: 'wadors',
        enableStudyLazyLoad: true,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        staticWado: false,
        singlepart: 'bulkdata,video',
        bulkDataURI: { enabled: true },
        omitQuotationForMultipartRequest: true,
      },
    },
  ],
  /* A session that has ended shows the sign-in. */
  httpErrorHandler: error => {
    if (error && error.status === 401) {
      window.location.reload();
    }
  },
};
