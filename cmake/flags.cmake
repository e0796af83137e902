# SPDX-License-Identifier: Apache-2.0
# One interface target carries warnings, sanitizers, hardening for all of our own code.
add_library(wl_flags INTERFACE)
target_compile_definitions(wl_flags INTERFACE _GNU_SOURCE)
target_compile_options(wl_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wdouble-promotion -Wformat=2
    -Wundef -Wcast-qual -Wwrite-strings -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes
    -Wvla -Wimplicit-fallthrough -fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(wl_flags INTERFACE -Wnull-dereference)
endif()
if(WL_WERROR)
    target_compile_options(wl_flags INTERFACE -Werror)
endif()

set(WL_SANITIZE_FLAGS "")
if(WL_SANITIZE)
    set(WL_SANITIZE_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
elseif(WL_TSAN)
    set(WL_SANITIZE_FLAGS -fsanitize=thread -fno-omit-frame-pointer)
endif()
if(WL_COVERAGE)
    list(APPEND WL_SANITIZE_FLAGS --coverage)
endif()
if(WL_FUZZ)
    list(APPEND WL_SANITIZE_FLAGS -fsanitize=fuzzer-no-link)
endif()
target_compile_options(wl_flags INTERFACE ${WL_SANITIZE_FLAGS})
target_link_options(wl_flags INTERFACE ${WL_SANITIZE_FLAGS})

if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(wl_flags INTERFACE -fstack-protector-strong)
    target_compile_definitions(wl_flags INTERFACE _FORTIFY_SOURCE=2)
    target_link_options(wl_flags INTERFACE -Wl,-z,relro -Wl,-z,now)
    string(REPLACE "-O3" "-O2" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
endif()
if(WL_LTO)
    include(CheckIPOSupported)
    check_ipo_supported(RESULT WL_IPO_OK LANGUAGES C)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${WL_IPO_OK})
endif()
