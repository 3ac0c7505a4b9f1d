// An ordinary Vendure shop on PostgreSQL, as its handbook sets one up: one channel, one tax zone, no plugins.
// For trying it out, passwords are hashed with a fast method (each test has accounts of its own).
const { createHash } = require('node:crypto');
const { bootstrap, DefaultLogger, LanguageCode, LogLevel, mergeConfig, defaultConfig } = require('@vendure/core');
const { populate } = require('@vendure/core/cli');

const hash = text => createHash('sha256').update(text).digest('hex');

const config = mergeConfig(defaultConfig, {
    apiOptions: { port: Number(process.env.SHOP_PORT), hostname: '127.0.0.1' },
    authOptions: {
        tokenMethod: 'bearer',
        requireVerification: false,
        superadminCredentials: { identifier: 'superadmin', password: process.env.SHOP_CLERK_TOKEN },
        passwordHashingStrategy: { hash: async text => hash(text), check: async (text, kept) => hash(text) === kept },
    },
    dbConnectionOptions: {
        type: 'postgres',
        host: '127.0.0.1',
        port: Number(process.env.SHOP_DATABASE_PORT),
        username: 'shop',
        database: process.env.SHOP_DATABASE,
        synchronize: true,
    },
    logger: new DefaultLogger({ level: LogLevel.Warn }),
});

populate(() => bootstrap(config), {
    defaultLanguage: LanguageCode.en,
    defaultZone: 'Europe',
    countries: [{ name: 'United Kingdom', code: 'GB', zone: 'Europe' }],
    taxRates: [{ name: 'None', percentage: 0 }],
    shippingMethods: [],
    paymentMethods: [],
    collections: [],
}).catch(error => {
    console.error(error);
    process.exit(1);
});
