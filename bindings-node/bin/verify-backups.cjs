#!/usr/bin/env node
'use strict';
require('../lib/program.cjs').run('verify-backups');
