/* Several frames side by side: AES-128-CBC and HMAC-SHA-256 with the processor's own instructions.
 *
 * AES-CBC encryption and SHA-256 wait for their own last result; frames do not wait for each other.
 * So a core that is given several at once does in the waiting time of one the work of the others.
 * What a frame looks like is Python's business: nothing is parsed here. The caller gives buffers,
 * and each length is checked against the others before any work.
 *
 * Must never allocate; never write outside what it was given; never decrypt a frame whose tag it
 * has not compared, in constant time, nor release one; never leave a key behind, nor a schedule
 * made from one. Python's files/crypto/tokens.py is the same in slow, and the tests hold both
 * against each other.
 *
 * x86-64 with AES-NI, SHA-NI, SSE4.1, and VAES where that is there. Sources: FIPS 197, FIPS 180-4,
 * RFC 2104, RFC 5652 (6.3), and the Intel 64 manual for the instructions.
 */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#if !defined(__x86_64__)
#error "lanes are for x86-64"
#endif

#include <cpuid.h>
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define MOST 8     /* Frames of one call. */
#define KEY 32     /* Bytes of a Fernet key: 16 for the MAC, then 16 for the cipher. */
#define BLOCK 16   /* Bytes of an AES block. */
#define SHA 64     /* Bytes of a SHA-256 block. */
#define HEAD 25    /* Bytes of a token before its ciphertext: version, time, IV. */
#define IV_AT 9    /* Where in them the IV begins. */
#define TAG 32     /* Bytes of a token after its ciphertext. */
#define PREFIX 15  /* Bytes of a frame's plaintext before its payload. */
#define CHUNK 256  /* AES blocks of a frame that are encrypted, then hashed: they stay in the cache. */
#define WORTH (16 * 1024) /* Bytes of work that are worth to let the interpreter's lock go. */

#define INLINE static inline __attribute__((always_inline))
#define USES __attribute__((target("aes,sha,sse4.1,ssse3")))
#define WIDE __attribute__((target("vaes,avx2,aes,sha,sse4.1,ssse3"), noinline))
#define UNROLLED(i, from, to) _Pragma("GCC unroll 16") for (int i = (from); i < (to); i++)
static int usable, wide; /* Whether this processor has the instructions; VAES as well. */

/* --- Keys -------------------------------------------------------------------------------------- */

typedef struct {
    __m128i round[11];      /* Of the cipher, to encrypt. */
    __m128i back[11];       /* To decrypt. */
    uint32_t inner[8];      /* SHA-256 after the MAC key's inner block, */
    uint32_t outer[8];      /* and after its outer one (RFC 2104). */
} Keys;

/* One frame's work. Points into the caller's buffers, which stay as they are while it lasts. */
typedef struct {
    const uint8_t *in;      /* Next block of plaintext that lies whole in the payload. */
    uint8_t *out;           /* Where its ciphertext goes. */
    size_t left;            /* Such blocks. */
    __m128i chain;          /* The last block of ciphertext. */
    const uint8_t *hashed;  /* What was hashed so far ends here, */
    const uint8_t *made;    /* and what can be hashed ends here. */
    uint32_t state[8];      /* Of SHA-256. */
} Lane;

/* Overwrite what must not stay; the compiler may not leave this out. */
static void wipe(void *memory, size_t length)
{
    memset(memory, 0, length);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

/* What functions that have returned left below on the stack, and in registers. */
static __attribute__((noinline)) void burn(void)
{
    uint8_t below[2048];
    wipe(below, sizeof below);
#define CLEAR(n) __asm__ volatile("pxor %%xmm" #n ",%%xmm" #n : : : "xmm" #n);
    CLEAR(0) CLEAR(1) CLEAR(2) CLEAR(3) CLEAR(4) CLEAR(5) CLEAR(6) CLEAR(7)
    CLEAR(8) CLEAR(9) CLEAR(10) CLEAR(11) CLEAR(12) CLEAR(13) CLEAR(14) CLEAR(15)
#undef CLEAR
}

INLINE USES __m128i load(const void *from) { return _mm_loadu_si128((const __m128i *)from); }

INLINE USES void store(void *to, __m128i value) { _mm_storeu_si128((__m128i *)to, value); }

INLINE USES __m128i next_round(__m128i key, __m128i assisted)
{
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    return _mm_xor_si128(key, _mm_shuffle_epi32(assisted, 0xFF));
}

/* FIPS 197, 5.2; for decryption the equivalent inverse cipher's, 5.3.5. */
static USES void expand_cipher_key(Keys *keys, const uint8_t *key)
{
    __m128i *round = keys->round;
    round[0] = load(key);
#define ROUND(i, rcon) \
    round[i] = next_round(round[(i) - 1], _mm_aeskeygenassist_si128(round[(i) - 1], rcon))
    ROUND(1, 0x01); ROUND(2, 0x02); ROUND(3, 0x04); ROUND(4, 0x08); ROUND(5, 0x10);
    ROUND(6, 0x20); ROUND(7, 0x40); ROUND(8, 0x80); ROUND(9, 0x1B); ROUND(10, 0x36);
#undef ROUND
    keys->back[0] = round[10];
    for (int i = 1; i < 10; i++)
        keys->back[i] = _mm_aesimc_si128(round[10 - i]);
    keys->back[10] = round[0];
}

/* --- SHA-256 ----------------------------------------------------------------------------------- */

static const uint32_t K[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t START[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* `count` blocks into each of `width` states, which is a constant wherever this is put in. */
INLINE USES void compress(uint32_t *const *states, const uint8_t *const *data, size_t count,
                          const int width)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i abef[4], cdgh[4], words[4][4];
    UNROLLED(i, 0, width) {
        __m128i badc = _mm_shuffle_epi32(load(states[i]), 0xB1);
        __m128i hgfe = _mm_shuffle_epi32(load(states[i] + 4), 0x1B);
        abef[i] = _mm_alignr_epi8(badc, hgfe, 8);
        cdgh[i] = _mm_blend_epi16(hgfe, badc, 0xF0);
    }
    for (size_t block = 0; block < count; block++) {
        __m128i first[4], second[4];
        UNROLLED(i, 0, width)
            first[i] = abef[i], second[i] = cdgh[i];
        UNROLLED(step, 0, 16) {
            const __m128i k = load(K + 4 * step);
            UNROLLED(i, 0, width) {
                __m128i *w = words[i];
                if (step < 4) {
                    w[step] = _mm_shuffle_epi8(load(data[i] + SHA * block + 16 * step), big_endian);
                } else {
                    const __m128i last = w[(step + 3) & 3];
                    __m128i sum = _mm_sha256msg1_epu32(w[step & 3], w[(step + 1) & 3]);
                    sum = _mm_add_epi32(sum, _mm_alignr_epi8(last, w[(step + 2) & 3], 4));
                    w[step & 3] = _mm_sha256msg2_epu32(sum, last);
                }
                const __m128i wk = _mm_add_epi32(w[step & 3], k);
                cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], wk);
                abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], _mm_shuffle_epi32(wk, 0x0E));
            }
        }
        UNROLLED(i, 0, width) {
            abef[i] = _mm_add_epi32(abef[i], first[i]);
            cdgh[i] = _mm_add_epi32(cdgh[i], second[i]);
        }
    }
    UNROLLED(i, 0, width) {
        __m128i feba = _mm_shuffle_epi32(abef[i], 0x1B);
        __m128i dchg = _mm_shuffle_epi32(cdgh[i], 0xB1);
        store(states[i], _mm_blend_epi16(feba, dchg, 0xF0));
        store(states[i] + 4, _mm_alignr_epi8(dchg, feba, 8));
    }
}

#define COMPRESS(width)                                                                            \
    static USES __attribute__((noinline)) void compress_##width(                                   \
        uint32_t *const *states, const uint8_t *const *data, size_t count)                         \
    {                                                                                              \
        compress(states, data, count, width);                                                      \
    }
COMPRESS(1) COMPRESS(2) COMPRESS(3) COMPRESS(4)
#undef COMPRESS

static void (*const by_width[5])(uint32_t *const *, const uint8_t *const *, size_t) = {
    NULL, compress_1, compress_2, compress_3, compress_4};

static void compress_one(uint32_t *state, const uint8_t *data, size_t count)
{
    compress_1(&state, &data, count);
}

/* Hash what each of these lanes has ready in whole blocks, `width` of them at once. */
static void hash_ready(Lane *const *lanes, int count, int width)
{
    uint32_t *states[4];
    const uint8_t *data[4];
    for (int at = 0; at < count;) {
        int taken = count - at < width ? count - at : width;
        size_t blocks = SIZE_MAX;
        for (int i = 0; i < taken; i++) {
            Lane *lane = lanes[at + i];
            size_t ready = (size_t)(lane->made - lane->hashed) / SHA;
            blocks = ready < blocks ? ready : blocks;
            states[i] = lane->state;
            data[i] = lane->hashed;
        }
        by_width[taken](states, data, blocks);
        for (int i = 0; i < taken; i++) lanes[at + i]->hashed += SHA * blocks;
        at += taken;
    }
}

static void put_state(uint8_t *to, const uint32_t *state)
{
    for (int i = 0; i < 8; i++) {
        uint32_t word = __builtin_bswap32(state[i]);
        memcpy(to + 4 * i, &word, 4);
    }
}

/* Hash the last `rest` bytes, fewer than a block, of `total` in all; FIPS 180-4, 5.1.1. */
static void finish_hash(uint32_t *state, const uint8_t *data, size_t rest, uint64_t total)
{
    uint8_t last[2 * SHA] = {0};
    size_t blocks = rest + 9 > SHA ? 2 : 1;
    memcpy(last, data, rest);
    last[rest] = 0x80;
    uint64_t bits = __builtin_bswap64(8 * total);
    memcpy(last + SHA * blocks - 8, &bits, 8);
    compress_one(state, last, blocks);
}

/* RFC 2104 with a key of 16 bytes: the states after its padded blocks. */
static void expand_mac_key(Keys *keys, const uint8_t *key)
{
    uint8_t inner[SHA], outer[SHA];
    memset(inner, 0x36, SHA);
    memset(outer, 0x5C, SHA);
    for (int i = 0; i < 16; i++) inner[i] ^= key[i], outer[i] ^= key[i];
    memcpy(keys->inner, START, sizeof START);
    memcpy(keys->outer, START, sizeof START);
    compress_one(keys->inner, inner, 1);
    compress_one(keys->outer, outer, 1);
    wipe(inner, sizeof inner);
    wipe(outer, sizeof outer);
}

/* Hash what a lane has left of `length` bytes, and write the tag. */
static void finish_tag(const Keys *keys, Lane *lane, size_t length, uint8_t *tag)
{
    size_t blocks = (size_t)(lane->made - lane->hashed) / SHA;
    compress_one(lane->state, lane->hashed, blocks);
    lane->hashed += SHA * blocks;
    finish_hash(lane->state, lane->hashed, (size_t)(lane->made - lane->hashed), SHA + length);
    uint8_t digest[TAG];
    uint32_t state[8];
    put_state(digest, lane->state);
    memcpy(state, keys->outer, sizeof state);
    finish_hash(state, digest, TAG, SHA + TAG);
    put_state(tag, state);
    wipe(digest, sizeof digest);
}

/* --- AES-128-CBC ------------------------------------------------------------------------------- */

/* `count` blocks of each of `width` lanes, which is a constant wherever this is put in. */
INLINE USES void encrypt(const __m128i *round, Lane *const *lanes, size_t count, const int width)
{
    __m128i chain[8];
    const uint8_t *in[8];
    uint8_t *out[8];
    UNROLLED(i, 0, width)
        chain[i] = lanes[i]->chain, in[i] = lanes[i]->in, out[i] = lanes[i]->out;
    for (size_t at = 0; at < BLOCK * count; at += BLOCK) {
        UNROLLED(i, 0, width)
            chain[i] = _mm_xor_si128(chain[i], _mm_xor_si128(load(in[i] + at), round[0]));
        UNROLLED(r, 1, 10)
            UNROLLED(i, 0, width) chain[i] = _mm_aesenc_si128(chain[i], round[r]);
        UNROLLED(i, 0, width) {
            chain[i] = _mm_aesenclast_si128(chain[i], round[10]);
            store(out[i] + at, chain[i]);
        }
    }
    UNROLLED(i, 0, width) {
        lanes[i]->chain = chain[i];
        lanes[i]->in += BLOCK * count;
        lanes[i]->out += BLOCK * count;
        lanes[i]->left -= count;
    }
}

#define ENCRYPT(width)                                                                             \
    static USES __attribute__((noinline)) void encrypt_##width(                                    \
        const __m128i *round, Lane *const *lanes, size_t count)                                    \
    {                                                                                              \
        encrypt(round, lanes, count, width);                                                       \
    }
ENCRYPT(1) ENCRYPT(2) ENCRYPT(4) ENCRYPT(8)
#undef ENCRYPT

/* `count` blocks of each of these lanes, at most `width` of them at once. */
static void encrypt_all(const __m128i *round, Lane *const *lanes, int number, size_t count,
                        int width)
{
    static void (*const by_width[9])(const __m128i *, Lane *const *, size_t) = {
        [1] = encrypt_1, [2] = encrypt_2, [4] = encrypt_4, [8] = encrypt_8};
    for (int at = 0; at < number;) {
        int taken = number - at < width ? number - at : width;
        taken = taken >= 8 ? 8 : taken >= 4 ? 4 : taken >= 2 ? 2 : 1;
        by_width[taken](round, lanes + at, count);
        at += taken;
    }
}

/* One block that does not lie whole in the payload. */
static USES void encrypt_edge(const __m128i *round, Lane *lane, const uint8_t *block)
{
    __m128i value = _mm_xor_si128(_mm_xor_si128(load(block), lane->chain), round[0]);
    for (int r = 1; r < 10; r++) value = _mm_aesenc_si128(value, round[r]);
    lane->chain = _mm_aesenclast_si128(value, round[10]);
    store(lane->out, lane->chain);
    lane->out += BLOCK;
}

/* 8 or 1 blocks of `in`, before which another lies: to decrypt, none waits for the one before it. */
INLINE USES void decrypt_some(const __m128i *back, const uint8_t *in, uint8_t *out, const int some)
{
    __m128i value[8];
    UNROLLED(i, 0, some) value[i] = _mm_xor_si128(load(in + BLOCK * i), back[0]);
    UNROLLED(r, 1, 10)
        UNROLLED(i, 0, some) value[i] = _mm_aesdec_si128(value[i], back[r]);
    UNROLLED(i, 0, some) {
        value[i] = _mm_aesdeclast_si128(value[i], back[10]);
        store(out + BLOCK * i, _mm_xor_si128(value[i], load(in + BLOCK * (i - 1))));
    }
}

/* 16 blocks, two in a register. What stood in its upper half is gone when it returns. */
#define TWICE(r) _mm256_broadcastsi128_si256(back[r])
static WIDE void decrypt_wide(const __m128i *back, const uint8_t *in, uint8_t *out)
{
    const __m256i_u *sealed = (const __m256i_u *)in, *before = (const __m256i_u *)(in - BLOCK);
    __m256i value[8];
    UNROLLED(i, 0, 8) value[i] = sealed[i] ^ TWICE(0);
    UNROLLED(r, 1, 10)
        UNROLLED(i, 0, 8) value[i] = _mm256_aesdec_epi128(value[i], TWICE(r));
    UNROLLED(i, 0, 8)
        ((__m256i_u *)out)[i] = _mm256_aesdeclast_epi128(value[i], TWICE(10)) ^ before[i];
}

/* `count` blocks of `in`, before which lies the IV. */
static USES void decrypt(const __m128i *back, const uint8_t *in, uint8_t *out, size_t count)
{
    size_t at = 0, end = BLOCK * count;
    for (; wide && at + 16 * BLOCK <= end; at += 16 * BLOCK) decrypt_wide(back, in + at, out + at);
    for (; at + 8 * BLOCK <= end; at += 8 * BLOCK) decrypt_some(back, in + at, out + at, 8);
    for (; at < end; at += BLOCK) decrypt_some(back, in + at, out + at, 1);
}

/* --- Frames ------------------------------------------------------------------------------------ */

/* `parts` of a frame to seal: token, prefix, payload; of one to open: token, room. */
typedef struct { Py_buffer parts[3]; } Frame;

/* Up to MOST frames whose lengths agree. Each token's first HEAD bytes are there already. */
static USES void seal_frames(const Keys *keys, Frame *frames, int count, int ciphers, int macs)
{
    Lane lanes[MOST], *going[MOST], *all[MOST] = {0};
    uint8_t edge[BLOCK];
    for (int i = 0; i < count; i++) {
        Lane *lane = all[i] = &lanes[i];
        uint8_t *token = frames[i].parts[0].buf;
        const uint8_t *payload = frames[i].parts[2].buf;
        const size_t size = (size_t)frames[i].parts[2].len;
        lane->in = size ? payload + 1 : payload;
        lane->out = token + HEAD;
        lane->left = size ? (PREFIX + size) / BLOCK - 1 : 0;
        lane->chain = load(token + IV_AT);
        lane->hashed = token;
        memcpy(lane->state, keys->inner, sizeof keys->inner);
        memcpy(edge, frames[i].parts[1].buf, PREFIX);
        edge[PREFIX] = size ? payload[0] : 1;
        encrypt_edge(keys->round, lane, edge);
        lane->made = lane->out;
    }
    for (;;) {
        int number = 0;
        size_t step = CHUNK;
        for (int i = 0; i < count; i++)
            if (lanes[i].left) {
                going[number++] = &lanes[i];
                step = lanes[i].left < step ? lanes[i].left : step;
            }
        if (!number)
            break;
        encrypt_all(keys->round, going, number, step, ciphers);
        for (int i = 0; i < number; i++) going[i]->made = going[i]->out;
        hash_ready(going, number, macs);
    }
    for (int i = 0; i < count; i++) {
        Lane *lane = &lanes[i];
        const uint8_t *payload = frames[i].parts[2].buf;
        const size_t size = (size_t)frames[i].parts[2].len;
        const size_t over = (PREFIX + size) % BLOCK;
        if (size) {
            memset(edge, (int)(BLOCK - over), BLOCK);
            memcpy(edge, payload + size - over, over);
            encrypt_edge(keys->round, lane, edge);
            lane->made = lane->out;
        }
    }
    hash_ready(all, count, macs);
    for (int i = 0; i < count; i++)
        finish_tag(keys, &lanes[i], (size_t)frames[i].parts[0].len - TAG, lanes[i].out);
    wipe(edge, sizeof edge);
    wipe(lanes, sizeof lanes);
}

/* Up to MOST frames whose lengths agree: the bit of each whose tag is right, and is decrypted. */
static USES unsigned open_frames(const Keys *keys, Frame *frames, int count, int macs)
{
    Lane lanes[MOST], *going[MOST];
    unsigned right = 0;
    for (int i = 0; i < count; i++) {
        const uint8_t *token = frames[i].parts[0].buf;
        lanes[i].hashed = token;
        lanes[i].made = token + frames[i].parts[0].len - TAG;
        memcpy(lanes[i].state, keys->inner, sizeof keys->inner);
    }
    for (;;) {
        int number = 0;
        for (int i = 0; i < count; i++)
            if (lanes[i].made - lanes[i].hashed >= SHA)
                going[number++] = &lanes[i];
        if (!number)
            break;
        hash_ready(going, number, macs);
    }
    for (int i = 0; i < count; i++) {
        const uint8_t *token = frames[i].parts[0].buf;
        const size_t length = (size_t)frames[i].parts[0].len;
        uint8_t tag[TAG];
        finish_tag(keys, &lanes[i], length - TAG, tag);
        unsigned differs = 0;
        for (int at = 0; at < TAG; at++)
            differs |= tag[at] ^ token[length - TAG + at];
        wipe(tag, sizeof tag);
        if (differs)
            continue;
        right |= 1u << i;
        decrypt(keys->back, token + HEAD, frames[i].parts[1].buf, (length - HEAD - TAG) / BLOCK);
    }
    wipe(lanes, sizeof lanes);
    return right;
}

/* --- Python ------------------------------------------------------------------------------------ */

static void find_out(void)
{
    unsigned a, b, c, d, saved = 0;
    unsigned wanted = bit_AES | bit_SSE4_1 | bit_SSSE3;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & wanted) != wanted)
        return;
    if (c & bit_OSXSAVE) /* Whether the system keeps wide registers apart for each thread. */
        __asm__("xgetbv" : "=a"(saved), "=d"(d) : "c"(0));
    usable = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
#ifndef NARROW
    wide = usable && (saved & 6) == 6 && (b & bit_AVX2) && (c & bit_VAES);
#endif
}

static int lengths_agree(const Frame *frame, int sealing)
{
    const Py_ssize_t token = frame->parts[0].len, body = token - HEAD - TAG;
    if (body < BLOCK || body % BLOCK)
        return 0;
    if (!sealing)
        return frame->parts[1].len >= body;
    return frame->parts[1].len == PREFIX && frame->parts[2].len < body &&
           (PREFIX + frame->parts[2].len) / BLOCK + 1 == body / BLOCK;
}

static PyObject *work(PyObject *arguments, int sealing)
{
    Py_buffer key = {0};
    PyObject *items;
    Frame frames[MOST];
    Keys keys;
    int ciphers, macs, count = 0;
    size_t bytes = 0;
    unsigned right = 0;
    if (!PyArg_ParseTuple(arguments, "y*O!ii", &key, &PyTuple_Type, &items, &ciphers, &macs))
        return NULL;
    const Py_ssize_t number = PyTuple_Size(items);
    if (!usable || key.len != KEY || number > MOST || ciphers < 1 || macs < 1 || macs > 4) {
        PyErr_SetString(PyExc_ValueError, "no such processor, key, number of frames or of lanes");
        goto done;
    }
    while (count < number) {
        Frame *frame = &frames[count];
        memset(frame, 0, sizeof *frame);
        if (!PyArg_ParseTuple(PyTuple_GetItem(items, count), sealing ? "w*y*y*" : "y*w*",
                              &frame->parts[0], &frame->parts[1], &frame->parts[2]))
            goto done;
        count++;
        if (!lengths_agree(frame, sealing)) {
            PyErr_SetString(PyExc_ValueError, "the lengths of a frame's buffers do not agree");
            goto done;
        }
        bytes += (size_t)frame->parts[0].len;
    }
    PyThreadState *waiting = bytes >= WORTH ? PyEval_SaveThread() : NULL;
    expand_cipher_key(&keys, (const uint8_t *)key.buf + 16);
    expand_mac_key(&keys, key.buf);
    if (sealing)
        seal_frames(&keys, frames, count, ciphers, macs);
    else
        right = open_frames(&keys, frames, count, macs);
    wipe(&keys, sizeof keys);
    burn();
    if (waiting)
        PyEval_RestoreThread(waiting);
done:
    for (int i = 0; i < count; i++)
        for (int part = 0; part < 3; part++)
            if (frames[i].parts[part].obj)
                PyBuffer_Release(&frames[i].parts[part]);
    PyBuffer_Release(&key);
    return PyErr_Occurred() ? NULL : PyLong_FromUnsignedLong(right);
}

#define WORK(name, sealing)                                                                        \
    static PyObject *lanes_##name(PyObject *Py_UNUSED(module), PyObject *arguments)                \
    {                                                                                              \
        return work(arguments, sealing);                                                           \
    }
WORK(seal, 1) WORK(open, 0)
#undef WORK

/* As many whole blocks of each of these, up to four, into its state, which Python keeps. */
static PyObject *lanes_digest(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer kept, parts[4];
    PyObject *items;
    uint32_t words[4][8], *states[4];
    const uint8_t *data[4];
    int count = 0;
    if (!PyArg_ParseTuple(arguments, "w*O!", &kept, &PyTuple_Type, &items))
        return NULL;
    const Py_ssize_t number = PyTuple_Size(items);
    int agree = usable && 0 < number && number <= 4 && kept.len == TAG * number;
    for (; agree && count < number; count++) {
        if (PyObject_GetBuffer(PyTuple_GetItem(items, count), &parts[count], PyBUF_SIMPLE))
            goto done;
        states[count] = words[count], data[count] = parts[count].buf;
        agree = parts[count].len == parts[0].len && parts[0].len % SHA == 0;
    }
    if (agree) {
        memcpy(words, kept.buf, (size_t)kept.len);
        PyThreadState *waiting = parts[0].len >= WORTH ? PyEval_SaveThread() : NULL;
        by_width[count](states, data, (size_t)parts[0].len / SHA);
        if (waiting)
            PyEval_RestoreThread(waiting);
        memcpy(kept.buf, words, (size_t)kept.len);
    } else {
        PyErr_SetString(PyExc_ValueError, "no such processor, number of states or whole blocks");
    }
done:
    while (count--) PyBuffer_Release(&parts[count]);
    PyBuffer_Release(&kept);
    return PyErr_Occurred() ? NULL : PyBool_FromLong(1);
}

static PyObject *lanes_usable(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(nothing))
{
    return PyBool_FromLong(usable);
}

static PyMethodDef methods[] = {
    {"seal", lanes_seal, METH_VARARGS, "seal(key, ((token, prefix, payload), ...), ciphers, macs)"},
    {"open", lanes_open, METH_VARARGS, "open(key, ((token, room), ...), ciphers, macs): bits"},
    {"digest", lanes_digest, METH_VARARGS, "digest(states, (data, ...)): SHA-256 of whole blocks."},
    {"usable", lanes_usable, METH_NOARGS, "Whether this processor has the instructions."},
    {NULL, NULL, 0, NULL},
};

static int start(PyObject *module)
{
    find_out();
    return PyModule_AddStringConstant(module, "SOURCE", SOURCE);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, start}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_lanes", .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit__lanes(void) { return PyModuleDef_Init(&definition); }
