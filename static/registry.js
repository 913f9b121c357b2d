"use strict";
// What the pages do beyond plain HTML. Everything here is an addition: each page works without it.
