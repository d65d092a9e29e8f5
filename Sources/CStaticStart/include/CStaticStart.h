#ifndef CSTATICSTART_H
#define CSTATICSTART_H
// Nothing is declared for others: the Swift runtime finds the functions of CStaticStart.c by their names.
#endif
