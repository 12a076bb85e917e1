import './makers.js';
