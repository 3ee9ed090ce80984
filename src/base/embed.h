/* Files inside the program: the assembler's .incbin puts them there. */
#ifndef NF_BASE_EMBED_H
#define NF_BASE_EMBED_H

/* name_data and name_end: the bytes of a file, whose path counts from the repository's root, where make
 * runs; 64-byte aligned, with a zero behind. */
#define NF_EMBED(name, path)                                                                       \
    __asm__(".pushsection .rodata\n.balign 64\n" #name "_data:\n.incbin \"" path "\"\n" #name      \
            "_end:\n.byte 0\n.popsection\n");                                                      \
    extern const char name##_data[] __attribute__((visibility("hidden")));                         \
    extern const char name##_end[] __attribute__((visibility("hidden")))

#endif
